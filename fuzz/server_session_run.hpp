// One machine of stack_fuzz.cpp: a socketio::server_session, its client and its application, as a program says.
#pragma once

#include "program.hpp"

#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace fuzz {

class server_session_run {
public:
    server_session_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), options_(options_from(options)) {
        auto const r = (options & 1u) == 0 ? socketio::revision::v5 : socketio::revision::v4;
        session_.emplace(options_, queue_, r, now_);
    }

    void run() {
        drain();
        while (!p_.is_over()) step();
        drain();
        session_->connection_closed(disconnect_reason::transport_close, now_);
        drain();
        check(closed_ && sockets_.empty() && owed_.empty());
        check(!session_->poll_timeout() && session_->is_closed());
    }

private:
    enum class state : std::uint8_t { asked, connected, ending };

    static socketio::server_options options_from(std::uint8_t bits) {
        socketio::server_options o;
        o.connect_timeout = milliseconds(1'000);
        if ((bits & 2u) == 0) return o;
        o.max_sockets = 2;
        o.max_pending_acks = 2;
        o.max_queued = 60;
        o.limits.max_attachments = 2;
        o.limits.max_attachments_size = 8;
        return o;
    }

    void step() {
        auto const which = p_.byte();
        switch (which % 8u) {
        case 0: receive({frame_kind::text, p_.text()}); break;
        case 1: receive({frame_kind::binary, p_.text()}); break;
        case 2: receive({frame_kind::text, "0" + std::string(*p_.pick(namespaces)) + ","}); break;
        case 3:
            now_ += milliseconds(p_.byte() * 10);
            session_->handle_timeout(now_);
            break;
        case 4:
            if (which == 252) session_->connection_closed(*p_.pick(losses), now_);
            break;
        default: act();
        }
        if (which < 128) drain();
    }

    void receive(std::pair<frame_kind, std::string> const& message) {
        drain();
        // The message is gone once its events have been polled.
        auto const copy = std::make_unique<std::string>(message.second);
        session_->message_received({message.first, *copy}, now_);
        drain();
    }

    // An act of the application, at any time.
    void act() {
        auto const s = memory_.socket(p_);
        auto const found = sockets_.find(key_of(s));
        bool const asked = found != sockets_.end() && found->second == state::asked && !session_->is_closed();
        bool const connected = found != sockets_.end() && found->second == state::connected && !session_->is_closed();
        switch (p_.byte() % 9u) {
        case 0:
        case 1: {
            auto const done = session_->accept(s, "sid", p_.flag() ? "pid" : "");
            auto const over = done.has_value() || done.error().code == errc::queue_overflow;
            check(asked == (over || done.error().code == errc::message_too_large));
            if (over) found->second = state::connected;
            break;
        }
        case 2: {
            auto const done = session_->refuse(s, p_.text());
            bool const over = done.has_value() || done.error().code == errc::queue_overflow;
            check(asked || !over);
            if (over) sockets_.erase(found);
            break;
        }
        case 3: check(connected || !session_->emit(s, p_.text(), byte_view(some_bytes))); break;
        case 4: ask(s, connected); break;
        case 5:
            if (auto* const request = memory_.request(p_)) session_->acknowledge(*request, p_.text()).ignore();
            break;
        case 6:
            session_->disconnect(s);
            if (connected) found->second = state::ending;
            break;
        case 7:
            if (p_.byte() > 250) session_->close(disconnect_reason::server_namespace_disconnect);
            break;
        default:
            if (p_.byte() > 250) session_->close(disconnect_reason::server_shutting_down);
        }
        check(queue_.size() <= options_.max_queued + 1'024); // DISCONNECTs are not counted
    }

    void ask(socket_handle s, bool connected) {
        auto const id = ++last_id_;
        auto const timeout = p_.timeout();
        auto const done =
            p_.flag() ? session_->expect_ack(s, id, timeout) : session_->emit_with_ack(s, id, timeout, "q", p_.text());
        check(connected || !done);
        if (done) owed_.emplace(id, key_of(s));
        check(owed_.size() <= options_.max_pending_acks);
    }

    void drain() {
        while (auto e = session_->poll_event()) {
            note(*e);
            react(*e);
        }
        while (session_->poll_transmit()) {
        }
        check(!session_->poll_event());
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            if (session_->accept(e.socket, "sid")) sockets_.at(key_of(e.socket)) = state::connected;
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            session_->acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void note(socketio::event& e) {
        check(!closed_);
        auto const k = key_of(e.socket);
        switch (e.type) {
        case event_type::connecting:
            check(sockets_.emplace(k, state::asked).second && session_->nsp(e.socket) == e.nsp);
            check(sockets_.size() <= options_.max_sockets);
            break;
        case event_type::event: check(sockets_.at(k) == state::connected); break;
        case event_type::ack: {
            auto const found = owed_.find(e.id);
            check(found != owed_.end() && found->second == k);
            owed_.erase(found);
            break;
        }
        case event_type::disconnected:
            check(sockets_.erase(k) == 1);
            for (auto const& [id, owner] : owed_) check(owner != k);
            break;
        default: check(e.type == event_type::closed && sockets_.empty() && owed_.empty()); closed_ = true;
        }
        memory_.note(e);
    }

    program& p_;
    bool is_wild_;
    socketio::server_options options_;
    socketio::message_queue queue_;
    std::optional<socketio::server_session> session_;
    time_point now_{std::chrono::hours(1)};
    memory memory_;
    std::map<key, state> sockets_;
    std::map<std::uint64_t, key> owed_;
    std::uint64_t last_id_ = 0;
    bool closed_ = false;
};

} // namespace fuzz
