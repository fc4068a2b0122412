// A whole server driven by hand, over WebSockets and exchanges that the test plays itself: each input returns what came
// of it, drained into lines.
//
//     0 connected /                  an event (see socket_lines.hpp) of socket 0, the first
//     7: 42["news"], 7: <0102>       a message on channel 7
//     answer 3: 200 text 42["news"]  the answer to exchange 3
//     close 7
//
// Secrets stand by their names: sid0 is the id of socket 0, pid0 the first secret of recovery, 1 the first of its
// offsets. Handshakes and heartbeats are left out; pings are answered.
#pragma once

#include "drivers/socket_lines.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class server_wires {
public:
    using socket_handle = socketio::socket_handle;

    explicit server_wires(socketless::server_options options = {})
        : server(std::move(options), counting_random(), start) {}

    socketless::server server;
    socketless::time_point now = start;
    // The application's handler, called before the event is noted.
    std::function<void(socketio::event&)> on_event = [](socketio::event&) {};
    // The sockets, in the order of their first events, and the acknowledgements that were asked for.
    std::vector<socket_handle> sockets;
    std::vector<socketio::ack_request> requests;
    // The ids of the sessions below by the channel or exchange that they were opened with, and the secrets of recovery.
    std::map<std::uint64_t, std::string> engine_sids;
    std::vector<std::string> pids;
    // The address of the bytes of the last message on each channel.
    std::map<std::uint64_t, char const*> sent_from;
    // Channels that are open, exchanges that have not been answered.
    std::set<std::uint64_t> channels;
    std::set<std::uint64_t> exchanges;

    //=== what happens ===//

    lines open(std::uint64_t channel, std::string_view query = "EIO=4&transport=websocket") {
        channels.insert(channel);
        std::string const target = "/socket.io/?" + std::string(query);
        return after([&] { server.websocket_opened(channel, target, now); });
    }
    lines open_v3(std::uint64_t channel) { return open(channel, "EIO=3&transport=websocket"); }

    lines receive(std::uint64_t channel, frame message) {
        exact_copy const copy(message.data);
        return after([&] { server.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines receive(std::uint64_t channel, std::string_view message) { return receive(channel, text(message)); }

    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { server.channel_closed(channel, now); });
    }

    // Opens a session by long-polling; exchanges of it are asked for by the one that it began with.
    lines open_polling(std::uint64_t exchange, std::string_view eio = "4") {
        eios_[exchange] = eio;
        return request(exchange, engineio::http_method::get, exchange, {});
    }
    lines get(std::uint64_t session, std::uint64_t exchange) {
        return request(exchange, engineio::http_method::get, session, {});
    }
    lines post(std::uint64_t session, std::uint64_t exchange, std::string_view body) {
        return request(exchange, engineio::http_method::post, session, body);
    }

    // Lets time pass until `ms` milliseconds after the start; calls the server when its timer is due.
    lines at(std::int64_t ms) {
        auto const until = start + std::chrono::milliseconds(ms);
        lines all;
        int calls = 0;
        for (auto due = server.poll_timeout(); due && *due <= until; due = server.poll_timeout()) {
            REQUIRE(++calls < 100'000);
            now = std::max(now, *due);
            append(all, after([&] { server.handle_timeout(now); }));
        }
        now = until;
        append(all, after([&] { server.handle_timeout(now); })); // one too many does no harm
        return all;
    }

    //=== what the application does ===//

    template <class Call>
    lines after(Call call) {
        call();
        return drain();
    }

    // Joins the namespace, and is let in: the socket.
    socket_handle join(std::uint64_t channel, std::string_view nsp = "/", std::string_view auth = {}) {
        std::string const where = nsp == "/" ? std::string() : std::string(nsp) + ",";
        std::size_t const before = sockets.size();
        receive(channel, "40" + where + std::string(auth));
        REQUIRE(sockets.size() == before + 1);
        REQUIRE(server.is_connected(sockets.back()));
        return sockets.back();
    }
    // The same on a new WebSocket.
    socket_handle connect(std::uint64_t channel, std::string_view nsp = "/", std::string_view auth = {}) {
        open(channel);
        return join(channel, nsp, auth);
    }

    // The offset with this number, once an offset has been seen; any other text stays as it is.
    [[nodiscard]] std::string offset(std::string_view number) const {
        bool const is_number = !number.empty() && number.find_first_not_of("123456789") == std::string_view::npos;
        if (!is_number || number.size() > 1 || offsets_prefix_.empty()) return std::string(number);
        return offsets_prefix_ + "AAAAAAA" + static_cast<char>('A' + (number[0] - '0'));
    }

    [[nodiscard]] std::string sid(std::size_t nth) const { return std::string(server.sid(sockets.at(nth))); }

    lines drain() {
        lines all;
        for (;;) {
            if (auto e = server.poll_event()) {
                take(*e, all);
            } else if (auto const t = server.poll_transmit(buffer_)) {
                take(*t, all);
            } else if (!pinged_.empty()) {
                server.websocket_received(*pinged_.begin(), text("3"), now);
                pinged_.erase(pinged_.begin());
            } else {
                return all;
            }
        }
    }

    // The next transmit, if there is one, as a line. Events must have run dry.
    lines next_transmit() {
        lines all;
        if (auto const t = server.poll_transmit(buffer_)) take(*t, all);
        return all;
    }

private:
    static void append(lines& all, lines const& more) { all.insert(all.end(), more.begin(), more.end()); }

    lines request(std::uint64_t exchange, engineio::http_method method, std::uint64_t session, std::string_view body) {
        exchanges.insert(exchange);
        exact_copy const copy(with_separators(body));
        std::string target = "/socket.io/?transport=polling&EIO=" + eios_[session];
        if (auto const found = engine_sids.find(session); found != engine_sids.end()) target += "&sid=" + found->second;
        return after([&] {
            server.http_received(
                {.exchange = exchange, .method = method, .target = target, .is_binary = false, .body = copy.span()},
                now);
        });
    }

    std::size_t number(socket_handle socket) {
        auto const found = std::find(sockets.begin(), sockets.end(), socket);
        if (found != sockets.end()) return static_cast<std::size_t>(found - sockets.begin());
        sockets.push_back(socket);
        return sockets.size() - 1;
    }

    // A socket is connected or refused once before it is gone, and nothing follows.
    void take(socketio::event& e, lines& all) {
        using enum socketio::event_type;
        if (e.type == acks_complete) return all.push_back(show(e));
        std::size_t const n = number(e.socket);
        CHECK(ended_.count(n) == 0);
        if (e.type == connecting) CHECK(told_.insert({n, false}).second);
        if (e.type == connected) {
            CHECK((told_.count(n) == 0 || !told_[n]));
            told_[n] = true;
            CHECK(server.sid(e.socket) == e.sid);
            name_secret(e.sid, "sid" + std::to_string(n));
            e.sid = {}; // it differs each time
        }
        if (e.type == disconnected) ended_.insert(n);
        CHECK(server.nsp(e.socket) == e.nsp);
        all.push_back(std::to_string(n) + " " + show(e));
        on_event(e);
        if (e.ack) requests.push_back(std::move(e.ack));
    }

    void take(engineio::transmit const& t, lines& all) {
        using enum engineio::transmit_type;
        std::string const shown = show(t.data);
        if (t.type == respond) REQUIRE(exchanges.erase(t.id) == 1);
        if (t.type == close) REQUIRE(channels.erase(t.id) == 1);
        if (t.type == send) {
            REQUIRE(channels.contains(t.id));
            sent_from[t.id] = t.data.data.data();
        }
        if (shown == "2" && t.type == send) {
            pinged_.insert(t.id);
            return;
        }
        if (note_handshake(t.id, shown)) return;
        if (t.type == close)
            all.push_back("close " + std::to_string(t.id));
        else if (t.type == send)
            all.push_back(std::to_string(t.id) + ": " + named(shown));
        else
            all.push_back(named(show(t)));
    }

    // Whether it is the handshake of a session and nothing else.
    bool note_handshake(std::uint64_t id, std::string const& shown) {
        constexpr std::string_view sid_key = R"(0{"sid":")";
        auto const at = shown.find(sid_key);
        if (at == std::string::npos || shown.find(R"("pingInterval":)") == std::string::npos) return false;
        std::size_t const begin = at + sid_key.size();
        engine_sids[id] = shown.substr(begin, shown.find('"', begin) - begin);
        name_secret(engine_sids[id], "engine" + std::to_string(id));
        return at == 0 && shown.ends_with('}');
    }

    //=== secrets by their names ===//

    void name_secret(std::string_view secret, std::string const& name) { names_.emplace(secret, name); }

    // Without the first characters of an offset, which are random.
    void name_offset(std::string& line) {
        constexpr std::size_t prefix_size = 12;
        constexpr std::size_t size = socketio::recovery_offset::size;
        if (!line.ends_with("\"]") || line.size() < size + 4 || line[line.size() - size - 3] != '"') return;
        std::size_t const begin = line.size() - size - 2;
        std::string const text = line.substr(begin, size);
        if (text.compare(prefix_size, 7, "AAAAAAA") != 0 || text.back() < 'B' || text.back() > 'J') return;
        if (offsets_prefix_.empty()) offsets_prefix_ = text.substr(0, prefix_size);
        CHECK(text.starts_with(offsets_prefix_));
        line.replace(begin, size, 1, static_cast<char>('0' + (text.back() - 'A')));
    }

    [[nodiscard]] std::string named(std::string line) {
        name_offset(line);
        constexpr std::string_view pid_key = R"("pid":")";
        if (auto const at = line.find(pid_key); at != std::string::npos) {
            std::size_t const begin = at + pid_key.size();
            std::string const pid = line.substr(begin, line.find('"', begin) - begin);
            if (names_.count(pid) == 0) {
                names_[pid] = "pid" + std::to_string(pids.size());
                pids.push_back(pid);
            }
        }
        for (auto const& [secret, name] : names_)
            for (auto at = line.find(secret); at != std::string::npos; at = line.find(secret))
                line.replace(at, secret.size(), name);
        return line;
    }

    std::string buffer_;
    std::string offsets_prefix_;
    std::set<std::uint64_t> pinged_;
    std::map<std::uint64_t, std::string> eios_;
    std::map<std::string, std::string, std::less<>> names_;
    std::map<std::size_t, bool> told_; // of sockets: whether they are connected
    std::set<std::size_t> ended_;
};

namespace whole_server {

using socketless::server_options;
using wires = server_wires;

inline constexpr std::byte one_two[] = {std::byte{1}, std::byte{2}};
inline constexpr std::string_view placeholder = R"({"_placeholder":true,"num":0})";

inline server_options with_v3() {
    server_options options;
    options.engine.allow_v3 = true;
    return options;
}

inline server_options with_recovery() {
    server_options options;
    options.recovery.emplace();
    options.engine.allow_v3 = true;
    return options;
}

inline lines sorted(lines all) {
    std::sort(all.begin(), all.end());
    return all;
}

} // namespace whole_server

} // namespace support
