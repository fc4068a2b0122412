// The machines of stack_fuzz.cpp share this: the program that a fuzzer writes, an application that fails, its memory.
#pragma once

#include "input.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

using namespace socketless;
using socketio::disconnect_reason;
using socketio::event_type;
using socketio::socket_handle;

inline constexpr std::byte some_bytes[] = {std::byte{1}, std::byte{2}};
inline constexpr std::string_view namespaces[] = {"/", "/admin", "/dynamic", "/b?q=1", "/d2", "/d3"};
inline constexpr disconnect_reason losses[] = {disconnect_reason::transport_close, disconnect_reason::ping_timeout,
                                               disconnect_reason::parse_error};

// Steps are bytes: the number of the step, and its arguments. A text is its length and its characters. A tame
// application lets everybody in and acknowledges everything; a wild application reads a byte for each event, which says
// whether it acts.
class program {
public:
    explicit program(fuzz::input in) noexcept : in_(in) {}

    [[nodiscard]] bool is_over() const noexcept { return in_.rest().empty(); }
    [[nodiscard]] std::uint8_t byte() noexcept { return in_.take(); }
    [[nodiscard]] bool flag() noexcept { return (byte() & 1u) != 0; }
    [[nodiscard]] std::string text() { return std::string(in_.take(in_.take())); }

    // One of `all`; null if it is empty.
    template <class All>
    [[nodiscard]] auto const* pick(All const& all) noexcept {
        auto const n = byte();
        return std::size(all) == 0 ? nullptr : &all[n % std::size(all)];
    }
    // No timeout, or a short one.
    [[nodiscard]] std::optional<milliseconds> timeout() noexcept {
        auto const n = byte();
        return n == 0 ? std::nullopt : std::optional(milliseconds(n * 10));
    }

private:
    fuzz::input in_;
};

inline constexpr std::uint8_t wild = 8; // of the options
inline constexpr std::uint8_t batching = 16;

// Code of the application that throws.
struct failure {};

struct unwritable {
    friend void write_json(json::writer& out, unwritable const&) {
        out.begin_array().string("half");
        throw failure();
    }
};

// Whether the call returned, rather than threw.
template <class Call>
bool survives(Call call) {
    try {
        call();
        return true;
    } catch (failure const&) {
        return false;
    }
}

using key = std::pair<std::uint32_t, std::uint32_t>;

inline key key_of(socket_handle s) {
    return {s.index, s.generation};
}

// Handles and requests that the application has ever got, old ones included.
struct memory {
    std::vector<socket_handle> sockets;
    std::vector<socketio::ack_request> requests;

    void note(socketio::event& e) {
        if (e.type == event_type::connecting || e.type == event_type::connected) sockets.push_back(e.socket);
        if (e.ack) requests.push_back(std::move(e.ack));
    }
    [[nodiscard]] socket_handle socket(program& p) const {
        auto const* const s = p.pick(sockets);
        return s == nullptr ? socket_handle() : *s;
    }
    [[nodiscard]] socketio::ack_request* request(program& p) {
        return const_cast<socketio::ack_request*>(p.pick(requests));
    }
};

} // namespace fuzz
