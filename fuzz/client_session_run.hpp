// One machine of stack_fuzz.cpp: a socketio::client_session, its server and its application, as a program says.
#pragma once

#include "program.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace fuzz {

class client_session_run {
public:
    client_session_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), session_(options_from(options)) {}

    void run() {
        while (!p_.is_over()) step();
        close();
        now_ += std::chrono::hours(1);
        session_.handle_timeout(now_);
        drain();
        // No acknowledgement with a deadline outlives it. (With retries, it waits for a connection.)
        if (session_.options().retries == 0) check(timed_.empty());
        check(connected_.empty());
    }

private:
    static socketio::client_options options_from(std::uint8_t bits) {
        socketio::client_options o;
        if ((bits & 1u) != 0) o.revision = socketio::revision::v4;
        if ((bits & 2u) != 0) {
            o.retries = 2;
            o.ack_timeout = milliseconds(100);
        }
        if ((bits & 4u) == 0) return o;
        o.max_buffered = 500;
        o.max_early = 500;
        o.max_pending_acks = 3;
        o.max_queued = 100;
        return o;
    }

    void step() {
        constexpr std::string_view answers[] = {R"(0{"sid":"s"})",
                                                R"(0/admin,{"sid":"s","pid":"p"})",
                                                R"(0{"sid":"s","pid":"p"})",
                                                "0/a,",
                                                "0/dynamic,{\"sid\":\"s\"}",
                                                "1",
                                                "1/admin,",
                                                "4/admin,{\"message\":\"no\"}",
                                                "4\"no\"",
                                                R"(2/admin,5["e","1"])",
                                                R"(51-["e",{"_placeholder":true,"num":0}])"};
        auto const which = p_.byte();
        switch (which % 8u) {
        case 0: receive({frame_kind::text, p_.text()}); break;
        case 1: receive({frame_kind::binary, p_.text()}); break;
        case 2:
        case 3: receive({frame_kind::text, std::string(*p_.pick(answers))}); break;
        case 4: receive({frame_kind::text, "3" + std::to_string(p_.byte() % 8u) + "[1]"}); break;
        case 5:
            if (p_.flag() || open_)
                pass_time();
            else
                open();
            if (which > 250) close();
            break;
        default: act();
        }
        if (which < 128) drain();
    }

    void open() {
        drain();
        open_ = true;
        session_.opened(now_);
    }
    void close() {
        drain();
        session_.closed(*p_.pick(losses), now_);
        drain();
        check(!open_);
    }
    void pass_time() {
        now_ += milliseconds(p_.byte() * 10);
        session_.handle_timeout(now_);
    }

    void receive(std::pair<frame_kind, std::string> const& message) {
        drain();
        auto const copy = std::make_unique<std::string>(message.second);
        session_.message_received({message.first, *copy}, now_);
        drain();
    }

    void act() {
        auto const s = socket();
        switch (p_.byte() % 8u) {
        case 0: session_.connect(*p_.pick(namespaces)).ignore(); break;
        case 1: session_.connect(*p_.pick(namespaces), json::object("token", p_.text())).ignore(); break;
        case 2: session_.connect(*p_.pick(namespaces), socketio::ask_for_auth).ignore(); break;
        case 3: session_.authenticate(s, json::object("token", p_.text())).ignore(); break;
        case 4: session_.disconnect(s); break;
        case 5:
            (p_.flag() ? session_.emit_volatile(s, "v", p_.text())
                       : session_.emit(s, "e", p_.text(), byte_view(some_bytes)))
                .ignore();
            break;
        case 6: ask(s); break;
        default:
            if (auto* const request = memory_.request(p_)) session_.acknowledge(*request, p_.text()).ignore();
        }
        auto const& o = session_.options();
        check(session_.buffered() <= o.max_buffered);
    }

    void ask(socket_handle s) {
        auto const timeout = p_.timeout();
        auto const id = session_.emit_with_ack(s, timeout, "q", p_.text());
        if (!id) return;
        check(awaited_.insert(*id).second);
        if (timeout) timed_.insert(*id);
    }

    // A socket of the session, if it has sockets.
    socket_handle socket() {
        auto const n = p_.byte();
        return session_.size() == 0 ? socket_handle() : socket_handle{n % session_.size(), 1};
    }

    void drain() {
        while (auto e = session_.poll_event()) {
            note(*e);
            react(*e);
        }
        while (session_.poll_transmit()) {
        }
        check(!session_.poll_event());
        for (std::uint32_t i = 0; i != session_.size(); ++i)
            check(session_.is_connected({i, 1}) == (connected_.count(i) == 1));
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            session_.authenticate(e.socket, json::object("token", 1)).ignore();
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            session_.acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void note(socketio::event& e) {
        auto const i = e.socket.index;
        switch (e.type) {
        case event_type::connecting: check(open_ && connected_.count(i) == 0); break;
        case event_type::connected: check(open_ && connected_.insert(i).second); break;
        case event_type::connect_error: check(open_ && connected_.count(i) == 0); break;
        case event_type::event: check(connected_.count(i) == 1); break;
        case event_type::ack:
            check(awaited_.erase(e.id) == 1);
            timed_.erase(e.id);
            break;
        case event_type::disconnected: check(connected_.erase(i) == 1); break;
        default: check(e.type == event_type::closed && std::exchange(open_, false) && connected_.empty());
        }
        memory_.note(e);
    }

    program& p_;
    bool is_wild_;
    socketio::client_session session_;
    time_point now_{std::chrono::hours(1)};
    memory memory_;
    bool open_ = false;
    std::set<std::uint32_t> connected_;
    std::set<std::uint64_t> awaited_;
    std::set<std::uint64_t> timed_; // those with a deadline of their own
};

} // namespace fuzz
