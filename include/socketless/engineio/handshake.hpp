// The Engine.IO handshake: the data of the open packet.
#pragma once

#include <socketless/core/detail/output.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// What the server tells in the open packet. `sid` is borrowed.
struct handshake {
    std::string_view sid;
    transport_set upgrades;
    std::chrono::milliseconds ping_interval{};
    std::chrono::milliseconds ping_timeout{};
    /// Bytes that a long-polling body may have. Revision 3, and some servers of revision 4, do not say.
    std::optional<std::uint64_t> max_payload;

    friend bool operator==(handshake const&, handshake const&) noexcept = default;
};

/// What a longer ping_interval or ping_timeout is taken for: 2^31-1 ms, 24 days, the longest that every
/// peer's timers can wait.
inline constexpr std::chrono::milliseconds longest_ping{2'147'483'647};

namespace detail {

// A duration in milliseconds: a positive number, fractions dropped, clamped to longest_ping.
inline std::optional<std::chrono::milliseconds> read_duration(std::optional<json::text> value) noexcept {
    if (!value) return std::nullopt;
    auto const number = value->get<double>();
    bool const huge = !number && number.error().code == errc::out_of_range && !value->raw().starts_with('-');
    if (!huge && (!number || *number < 1)) return std::nullopt;
    auto const longest = static_cast<double>(longest_ping.count());
    return std::chrono::milliseconds(static_cast<std::int64_t>(huge ? longest : std::min(*number, longest)));
}

} // namespace detail

/// Decodes the data of an open packet:
///
///     {"sid": string, "upgrades": [string, ...], "pingInterval": ms, "pingTimeout": ms, "maxPayload": bytes}
///
/// `sid` is written without escapes and not empty; unknown upgrades are left out, unknown members ignored; the
/// durations are at least 1 ms and clamped to `longest_ping`; maxPayload may be absent, and is clamped to 2^53-1.
/// Errors: those of json::validate; errc::invalid_handshake with the offset of the value that is wrong, or 0
/// where one is missing. Linear.
/// Source: Engine.IO protocol v4, "Handshake".
[[nodiscard]] inline result<handshake> decode_handshake(std::string_view data, limits const& l = {}) noexcept {
    auto const valid = json::validate(data, l.max_depth);
    if (!valid) return valid.error();
    auto const wrong = [data](std::optional<json::text> value) {
        return error{errc::invalid_handshake, value ? static_cast<std::size_t>(value->raw().data() - data.data()) : 0};
    };

    handshake h;
    auto const sid = valid->find("sid");
    h.sid = sid ? sid->borrow_string().value_or("") : "";
    if (h.sid.empty()) return wrong(sid);

    auto const upgrades = valid->find("upgrades");
    if (!upgrades || !upgrades->is(json::kind::array)) return wrong(upgrades);
    for (json::text const upgrade : upgrades->elements()) {
        if (!upgrade.is(json::kind::string)) return wrong(upgrade);
        for (transport const t : all_transports)
            if (upgrade.equals(name(t))) h.upgrades.insert(t);
    }

    auto const ping_interval = valid->find("pingInterval");
    auto const ping_timeout = valid->find("pingTimeout");
    auto const interval = detail::read_duration(ping_interval);
    if (!interval) return wrong(ping_interval);
    auto const timeout = detail::read_duration(ping_timeout);
    if (!timeout) return wrong(ping_timeout);
    h.ping_interval = *interval;
    h.ping_timeout = *timeout;

    if (auto const max_payload = valid->find("maxPayload")) {
        auto const bytes = max_payload->get<std::uint64_t>();
        bool const huge = !bytes && bytes.error().code == errc::out_of_range && !max_payload->raw().starts_with('-');
        if (!huge && (!bytes || *bytes == 0)) return wrong(max_payload);
        h.max_payload =
            huge ? socketless::detail::max_safe_integer : std::min(*bytes, socketless::detail::max_safe_integer);
    }
    return h;
}

/// Writes `h` as the data of an open packet, to a character container or a std::span<char>. Durations that no peer would
/// take are written as the nearest that it does: 1 ms to `longest_ping`.
/// Errors: errc::invalid_utf8 in `sid`, errc::buffer_too_small.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_handshake(Target&& target, handshake const& h) {
    return socketless::detail::write_to(target, [&](socketless::detail::output& out) {
        json::writer w(out);
        w.begin_object().member("sid", h.sid).key("upgrades").begin_array();
        for (transport const t : all_transports)
            if (h.upgrades.contains(t)) w.string(name(t));
        w.end_array();
        auto const duration = [](std::chrono::milliseconds d) {
            return std::clamp(d, std::chrono::milliseconds(1), longest_ping).count();
        };
        w.member("pingInterval", duration(h.ping_interval)).member("pingTimeout", duration(h.ping_timeout));
        if (h.max_payload) w.member("maxPayload", *h.max_payload);
        return w.end_object().status();
    });
}

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
