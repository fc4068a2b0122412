// A socketio::client_session driven by hand: each input returns what came of it, drained into lines (see
// socket_lines.hpp).
#pragma once

#include "drivers/socket_lines.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support::socketio_client {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;

// A session and its clock. Checks what always holds: each acknowledgement asked for has one outcome, each connection
// one end, and nothing is sent without a connection.
class driver {
public:
    explicit driver(socketio::client_options options = {}) : session(std::move(options), start) {}

    client_session session;
    time_point now = start;
    // The application's handler of events.
    std::function<void(event&)> on_event = [](event&) {};
    // The acknowledgements that the server has asked for.
    std::vector<ack_request> requests;

    lines drain() {
        lines all;
        for (;;) {
            if (auto e = session.poll_event()) {
                take(*e, all);
            } else if (auto const t = session.poll_transmit()) {
                all.push_back(show(*t));
                CHECK((is_open_ || t->type == transmit_type::close));
            } else {
                return all;
            }
            REQUIRE(all.size() < 10'000);
        }
    }
    template <class Input>
    lines after(Input input) {
        input();
        return drain();
    }

    lines open() {
        is_open_ = true;
        return after([&] { session.opened(now); });
    }
    lines lose(disconnect_reason reason = disconnect_reason::transport_close) {
        auto all = after([&] { session.closed(reason, now); });
        CHECK_FALSE(is_open_);
        return all;
    }
    lines at(milliseconds since_start) {
        now = start + since_start;
        return after([&] { session.handle_timeout(now); });
    }
    // When its timer is due.
    [[nodiscard]] std::optional<milliseconds> due() const {
        auto const at = session.poll_timeout();
        if (!at) return std::nullopt;
        return std::chrono::duration_cast<milliseconds>(*at - start);
    }

    lines receive(frame message) {
        exact_copy const copy(message.data);
        session.message_received({message.kind, copy.view()}, now);
        return drain();
    }
    lines receive(std::string_view message) { return receive(text(message)); }

    socket_handle connect(std::string_view nsp = "/") {
        auto const socket = session.connect(nsp);
        REQUIRE(socket.has_value());
        return *socket;
    }
    template <class Auth>
    socket_handle connect(std::string_view nsp, Auth const& auth) {
        auto const socket = session.connect(nsp, auth);
        REQUIRE(socket.has_value());
        return *socket;
    }
    lines disconnect(socket_handle socket) {
        return after([&] { session.disconnect(socket); });
    }
    template <class... Args>
    lines emit(socket_handle socket, std::string_view name, Args const&... args) {
        return after([&] { CHECK(session.emit(socket, name, args...).has_value()); });
    }
    template <class... Args>
    std::uint64_t ask(socket_handle socket, std::optional<milliseconds> timeout, std::string_view name,
                      Args const&... args) {
        auto const id = session.emit_with_ack(socket, timeout, name, args...);
        REQUIRE(id.has_value());
        CHECK(awaited_.insert(*id).second);
        return *id;
    }
    [[nodiscard]] std::size_t awaited() const { return awaited_.size(); }

private:
    void take(event& e, lines& all) {
        all.push_back(show(e));
        if (e.type == event_type::ack) CHECK(awaited_.erase(e.id) == 1);
        if (e.type == event_type::closed) CHECK(std::exchange(is_open_, false));
        on_event(e);
        if (e.ack) requests.push_back(std::move(e.ack));
    }

    bool is_open_ = false;
    std::set<std::uint64_t> awaited_;
};

inline constexpr std::byte bytes[] = {std::byte{1}, std::byte{2}};
inline constexpr socketio::revision both[] = {socketio::revision::v5, socketio::revision::v4};

inline socketio::client_options speaking(socketio::revision r) {
    socketio::client_options options;
    options.revision = r;
    return options;
}

inline socketio::client_options with_retries(std::uint32_t retries, std::optional<milliseconds> timeout = 100ms) {
    socketio::client_options options;
    options.retries = retries;
    options.ack_timeout = timeout;
    return options;
}

// The answer to CONNECT.
inline std::string answer(socketio::revision r, std::string_view nsp = "/") {
    auto const prefix = nsp == "/" ? std::string("0") : "0" + std::string(nsp) + ",";
    return r == socketio::revision::v5 ? prefix + R"({"sid":"abc"})" : prefix;
}

// Connected to "/".
struct connected_driver : driver {
    explicit connected_driver(socketio::client_options options = {}) : driver(std::move(options)) {
        socket = connect("/");
        open();
        receive(answer(session.options().revision));
        REQUIRE(session.is_connected(socket));
    }

    socket_handle socket;
};

} // namespace support::socketio_client
