// One machine of stack_fuzz.cpp: a whole server, its peers, its I/O layer and its application, as a program says.
#pragma once

#include "program.hpp"
#include "server_ledger.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

class server_run {
public:
    server_run(program& p, std::uint8_t options)
        : p_(p), is_wild_((options & wild) != 0), is_batching_((options & batching) != 0),
          server_(options_from(options), random(), now_), ledger_(server_) {
        auto const a = (options & 4u) == 0 ? admission::automatic : admission::ask;
        server_.declare("/", a);
        server_.declare("/admin", a);
        server_.declare_matching(
            [n = 0](std::string_view name, json::text) mutable {
                if (name == "/d3" && ++n % 2 != 0) throw failure();
                return name.starts_with("/d");
            },
            a);
    }

    void run() {
        while (!p_.is_over()) step();
        drain();
        while (!exchanges_.empty()) {
            abort_exchange();
            drain();
        }
        while (!channels_.empty()) {
            close_channel();
            drain();
        }
        for (auto due = server_.poll_timeout(); due; due = server_.poll_timeout()) {
            now_ = std::max(now_, *due);
            server_.handle_timeout(now_);
            drain();
        }
        check(server_.connection_count() == 0 && server_.socket_count() == 0);
        ledger_.check_end();
    }

private:
    struct channel {
        bool is_stream = false;
        bool is_paused = false;
        bool has_all = true; // false for a second transport, which begins in the middle
        std::size_t due = 0; // attachments
    };

    [[nodiscard]] random_source random() {
        return [this, n = std::uint64_t{1}](std::span<std::byte> bytes) mutable {
            if (is_random_broken_) throw failure();
            for (std::byte& b : bytes) {
                n = n * 6364136223846793005u + 1442695040888963407u;
                b = static_cast<std::byte>(n >> 56u);
            }
        };
    }

    static server_options options_from(std::uint8_t bits) {
        server_options o;
        o.engine.allow_v3 = true;
        o.engine.transports = {engineio::transport::polling, engineio::transport::websocket,
                               engineio::transport::webtransport};
        if ((bits & 1u) != 0) o.recovery.emplace();
        if ((bits & 2u) == 0) return o;
        o.engine.max_queued = 400;
        o.engine.max_payload = 200;
        o.sockets.max_sockets = 2;
        o.sockets.max_pending_acks = 2;
        if (o.recovery) o.recovery->max_packets = 3;
        return o;
    }

    //=== what peers do ===//

    void step() {
        auto const which = p_.byte();
        switch (which % 16u) {
        case 0: receive(frame_kind::text, p_.text()); break;
        case 1: receive(frame_kind::binary, p_.text()); break;
        case 2: receive(frame_kind::text, "40" + std::string(*p_.pick(namespaces)) + "," + claim()); break;
        case 3: open_websocket(); break;
        case 4: request(engineio::http_method::get, {}, p_.byte() > 128); break;
        case 5: request(engineio::http_method::post, p_.text(), false); break;
        case 6: request(engineio::http_method::post, "40" + std::string(*p_.pick(namespaces)) + ",", false); break;
        case 7: request(engineio::http_method::get, {}, false); break;
        case 8: abort_exchange(); break;
        case 9: close_channel(); break;
        case 10: pause(); break;
        case 11:
            now_ += milliseconds(p_.byte() * 500);
            server_.handle_timeout(now_);
            break;
        case 12:
            if (which == 252) server_.close();
            break;
        case 13:
            if (which < 128) {
                count();
                break;
            }
            [[fallthrough]];
        default: act();
        }
        if (is_batching_) {
            if (which < 64) drain();
            return;
        }
        // An application may act more than once before it polls.
        if (which % 16u <= 12 || which < 128) drain();
    }

    // An I/O layer polls before and after each input, unless it hands in several at once.
    void drain_between() {
        if (!is_batching_) drain();
    }
    // Keeps an input until the events have been polled; then it is gone.
    std::string& keep_input(std::string text) {
        return *held_.emplace_back(std::make_unique<std::string>(std::move(text)));
    }

    void count() {
        auto const id = pick_channel();
        if (id == 0 || channels_.at(id).is_stream || !channels_.at(id).has_all || !ledger_.counts(id)) return;
        for (int n = 1 + p_.byte() % 4; n != 0; --n) {
            auto const& text = keep_input("42[\"count\"," + std::to_string(ledger_.next_count(id)) + "]");
            server_.websocket_received(id, {frame_kind::text, text}, now_);
            drain_between();
        }
    }

    // The auth of a client, sometimes with the secret of a lost socket.
    std::string claim() {
        auto const n = p_.byte();
        if (n < 128 || pids_.empty()) return n < 64 ? "" : R"({"token":1})";
        std::string const offset = offsets_.empty() ? "1" : offsets_[offsets_.size() - 1 - n % offsets_.size()];
        return R"({"pid":")" + pids_[n % pids_.size()] + R"(","offset":")" + offset + "\"}";
    }

    std::uint64_t pick_channel() {
        auto const n = p_.byte();
        if (channels_.empty()) return 0;
        auto const at = std::next(channels_.begin(), static_cast<std::ptrdiff_t>(n % channels_.size()));
        return at->first;
    }

    void receive(frame_kind kind, std::string const& message) {
        drain_between();
        auto const id = pick_channel();
        auto const& copy = keep_input(message);
        if (!copy.starts_with("40")) ledger_.stop_counting(id);
        if (id != 0 && channels_.at(id).is_stream)
            server_.stream_received(id, copy, now_);
        else
            server_.websocket_received(id, {kind, copy}, now_);
        drain_between();
    }

    void open_websocket() {
        if (channels_.size() == 4) return;
        drain_between();
        auto const id = ++last_name_;
        auto const how = p_.byte() % 8u;
        channels_[id] = {.is_stream = how == 0, .has_all = how > 3};
        if (how == 0) return server_.stream_opened(id, now_);
        auto const* const sid = p_.pick(sids_);
        std::string& target = keep_input("/socket.io/?transport=websocket&EIO=");
        target += how == 4 ? '3' : '4';
        if (how < 4 && sid != nullptr) target += "&sid=" + *sid;
        server_.websocket_opened(id, target, now_);
    }

    void abort_exchange() {
        if (exchanges_.empty()) return;
        auto const exchange = *exchanges_.begin();
        exchanges_.erase(exchange);
        aborted_.insert(exchange); // an answer that is due already may still come
        server_.http_aborted(exchange, now_);
    }

    void close_channel() {
        auto const id = pick_channel();
        if (channels_.erase(id) != 0) gone_.insert(id); // a close that is due already may still come
        server_.channel_closed(id, now_);
    }

    void pause() {
        auto const id = pick_channel();
        if (id == 0) return;
        auto& c = channels_.at(id);
        c.is_paused = !c.is_paused;
        if (c.is_paused)
            server_.pause(id);
        else
            server_.resume(id);
    }

    void request(engineio::http_method method, std::string const& text, bool is_new) {
        drain_between();
        std::string& body = keep_input(text);
        auto const id = ++last_name_;
        exchanges_.insert(id);
        auto const* const sid = p_.pick(sids_);
        std::string& target = keep_input("/socket.io/?transport=polling&EIO=");
        target += is_new && p_.flag() ? '3' : '4';
        if (!is_new && sid != nullptr) target += "&sid=" + *sid;
        server_.http_received({.exchange = id, .method = method, .target = target, .is_binary = false, .body = body},
                              now_);
        drain_between();
    }

    //=== what the application does ===//

    void act() {
        auto const s = memory_.socket(p_);
        auto const text = p_.text();
        switch (p_.byte() % 16u) {
        case 0:
        case 1: accept(s); break;
        case 2:
            if (server_.refuse(s, text)) ledger_.refused(s);
            break;
        case 3: server_.emit(s, "e", text, byte_view(some_bytes)).ignore(); break;
        case 4: server_.emit_volatile(s, "v", byte_view(some_bytes), text).ignore(); break;
        case 5:
            if (auto const id = server_.emit_with_ack(s, p_.timeout(), "q", text)) ledger_.asked_one(*id, s);
            break;
        case 6:
            if (auto* const request = memory_.request(p_)) server_.acknowledge(*request, text).ignore();
            break;
        case 7: static_cast<void>(p_.flag() ? server_.join(s, text) : server_.leave(s, text)); break;
        case 8: whom(text).emit("all", text, byte_view(some_bytes)).ignore(); break;
        case 9: whom(text).emit_volatile("all", byte_view(some_bytes)).ignore(); break;
        case 10:
            if (auto const id = whom(text).emit_with_ack(p_.timeout(), "q", text)) ledger_.asked_all(*id);
            break;
        case 11: server_.disconnect(s); break;
        case 12:
            if (p_.flag())
                whom(text).disconnect();
            else
                server_.disconnect_connection(s);
            break;
        case 13: whom(text).for_each([&](socket_handle each) { server_.join(each, "room"); }); break;
        default: fail(s, text);
        }
    }

    // The random source may fail: then the client still waits for an answer.
    void accept(socket_handle s) {
        is_random_broken_ = is_wild_ && p_.byte() > 250;
        survives([&] {
            if (server_.accept(s)) ledger_.accepted(s);
        });
        is_random_broken_ = false;
    }

    // Code of the application throws in the middle of a call: the server sends nothing of it, and awaits no
    // acknowledgement.
    void fail(socket_handle s, std::string_view text) {
        switch (p_.byte() % 6u) {
        case 0: survives([&] { server_.emit(s, "e", text, byte_view(some_bytes), unwritable()).ignore(); }); break;
        case 1:
            survives([&] {
                if (auto const id = server_.emit_with_ack(s, p_.timeout(), "q", unwritable()))
                    ledger_.asked_one(*id, s);
            });
            break;
        case 2:
            if (auto* const request = memory_.request(p_))
                survives([&] { server_.acknowledge(*request, byte_view(some_bytes), unwritable()).ignore(); });
            break;
        case 3:
            survives([&] {
                if (server_.refuse(s, text, unwritable())) ledger_.refused(s);
            });
            break;
        case 4: survives([&] { whom(text).emit("all", byte_view(some_bytes), unwritable()).ignore(); }); break;
        default:
            survives([&] {
                if (auto const id = whom(text).emit_with_ack(p_.timeout(), "q", unwritable())) ledger_.asked_all(*id);
            });
        }
    }

    // `room` is borrowed.
    audience whom(std::string_view room) {
        auto chosen = server_.in(*p_.pick(namespaces));
        auto const how = p_.byte();
        if ((how & 1u) != 0) chosen.to(room);
        if ((how & 2u) != 0) chosen.to("room");
        if ((how & 4u) != 0) chosen.except(room);
        if ((how & 8u) != 0) chosen.except(memory_.socket(p_));
        if ((how & 16u) != 0) chosen.to(server_.sid(memory_.socket(p_)));
        return chosen;
    }

    //=== what comes of it ===//

    void drain() {
        for (;;) {
            std::optional<socketio::event> e;
            if (!survives([&] { e = server_.poll_event(); })) continue;
            if (e) {
                ledger_.note(*e);
                memory_.note(*e);
                react(*e);
            } else if (auto const t = server_.poll_transmit(buffer_)) {
                take(*t);
            } else {
                held_.clear();
                return;
            }
        }
    }

    void react(socketio::event const& e) {
        if (is_wild_) {
            if (p_.byte() > 200) act();
        } else if (e.type == event_type::connecting) {
            accept(e.socket);
        } else if (e.type == event_type::event && !memory_.requests.empty()) {
            server_.acknowledge(memory_.requests.back(), 1).ignore();
        }
    }

    void take(engineio::transmit const& t) {
        note_secrets(t.data.data);
        if (t.type == engineio::transmit_type::respond)
            return check(exchanges_.erase(t.id) == 1 || aborted_.erase(t.id) == 1);
        if (t.type == engineio::transmit_type::close)
            return check(channels_.erase(t.id) == 1 || gone_.erase(t.id) == 1);
        auto const found = channels_.find(t.id);
        check(t.type == engineio::transmit_type::send && found != channels_.end() && !found->second.is_paused);
        if (!found->second.is_stream && found->second.has_all) check_whole(found->second, t.data);
    }

    // Attachments follow their header; only packets of Engine.IO come between.
    static void check_whole(channel& c, frame f) {
        if (f.kind == frame_kind::binary) {
            check(c.due != 0);
            --c.due;
        } else if (f.data.starts_with('4')) {
            auto const h = socketio::decode_header(f.data.substr(1));
            check(h && c.due == 0);
            c.due = h->attachments;
        }
    }

    void note_secrets(std::string_view sent) {
        auto const value_of = [&](std::string_view name) {
            auto const at = sent.find(name);
            auto const rest = at == std::string_view::npos ? std::string_view() : sent.substr(at + name.size());
            return std::string(rest.substr(0, rest.find('"')));
        };
        if (sent.find("\"pingInterval\"") != std::string_view::npos) sids_.push_back(value_of(R"("sid":")"));
        if (auto pid = value_of(R"("pid":")"); !pid.empty()) pids_.push_back(std::move(pid));
        constexpr std::size_t size = socketio::recovery_offset::size;
        if (sent.ends_with("\"]") && sent.size() > size + 2)
            offsets_.emplace_back(sent.substr(sent.size() - size - 2, size));
    }

    program& p_;
    bool is_wild_;
    bool is_batching_;
    bool is_random_broken_ = false;
    time_point now_{std::chrono::hours(1)};
    server server_;
    server_ledger ledger_;
    memory memory_;
    std::map<std::uint64_t, channel> channels_;
    std::set<std::uint64_t> exchanges_;
    std::set<std::uint64_t> aborted_;
    std::set<std::uint64_t> gone_;
    std::uint64_t last_name_ = 0;
    std::vector<std::string> sids_;
    std::vector<std::string> pids_;
    std::vector<std::string> offsets_;
    std::vector<std::unique_ptr<std::string>> held_;
    std::string buffer_;
};

} // namespace fuzz
