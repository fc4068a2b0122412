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
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The contents of the open packet. `sid` is borrowed, from the packet or the buffer.
struct handshake {
    /// The session id.
    std::string_view sid;
    /// The transports to which the session may move.
    transport_set upgrades;
    /// How often the side that pings does so.
    std::chrono::milliseconds ping_interval{};
    /// How long it waits for the pong.
    std::chrono::milliseconds ping_timeout{};
    /// Bytes that a long-polling body may have. Revision 3, and some servers of revision 4, do not say.
    std::optional<std::uint64_t> max_payload;

    friend bool operator==(handshake const&, handshake const&) noexcept = default;
};

/// A longer ping_interval or ping_timeout is clamped to this: 2^31-1 ms, 24 days, the longest that every peer's timers
/// can wait.
inline constexpr std::chrono::milliseconds longest_ping{2'147'483'647};

namespace detail {

// The integer part of a JSON number, but at most `limit`; 0 for a negative one. By hand: reading doubles is much code.
constexpr std::uint64_t read_whole_part(std::string_view number, std::uint64_t limit) noexcept {
    if (number.starts_with('-')) return 0;
    auto const mantissa = number.substr(0, number.find_first_of("eE"));
    auto const point = std::min(mantissa.find('.'), mantissa.size());
    std::int64_t digits = static_cast<std::int64_t>(point) +
                          json::detail::read_exponent(number.data() + mantissa.size(), number.data() + number.size());
    std::uint64_t value = 0;
    for (std::size_t i = 0; digits > 0 && value < limit; ++i) {
        if (i == point) continue;
        if (i >= mantissa.size() && value == 0) return 0; // zeros only
        value = value * 10 + (i < mantissa.size() ? static_cast<std::uint64_t>(mantissa[i] - '0') : 0);
        --digits;
    }
    return std::min(value, limit);
}

// A duration in milliseconds: a number from 1 on, fractions dropped, clamped to longest_ping.
inline std::optional<std::chrono::milliseconds> read_duration(std::optional<json::text> value) noexcept {
    if (!value || !value->is(json::kind::number)) return std::nullopt;
    auto const whole = read_whole_part(value->raw(), static_cast<std::uint64_t>(longest_ping.count()));
    if (whole == 0) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(whole));
}

} // namespace detail

/// Decodes the data of an open packet:
///
///     {"sid": string, "upgrades": [string, ...], "pingInterval": ms, "pingTimeout": ms, "maxPayload": bytes}
///
/// `sid` is not empty; if it has escapes, it is decoded into `buffer`, for which `data.size()` bytes are always enough;
/// unknown upgrades are left out, unknown members ignored; the durations are at least 1 ms and clamped to
/// `longest_ping`; maxPayload may be absent, and is clamped to 2^53-1.
/// Errors: those of json::validate; errc::buffer_too_small; errc::invalid_handshake with the offset of the value that
/// is wrong, or 0 if a value is missing. Linear. Source: Engine.IO protocol v4, "Handshake".
[[nodiscard]] inline result<handshake> decode_handshake(std::string_view data, limits const& bounds = {},
                                                        std::span<char> buffer = {}) noexcept {
    auto const valid = json::validate(data, bounds.max_depth);
    if (!valid) return valid.error();
    auto const wrong = [data](std::optional<json::text> value) {
        return error{errc::invalid_handshake, value ? static_cast<std::size_t>(value->raw().data() - data.data()) : 0};
    };

    handshake h;
    auto const sid = valid->find("sid");
    if (!sid || !sid->is(json::kind::string)) return wrong(sid);
    auto const name_of_session = sid->unescape(buffer);
    if (!name_of_session && name_of_session.error().code == errc::buffer_too_small) return name_of_session.error();
    h.sid = name_of_session.value_or("");
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
        h.max_payload = huge ? core_detail::max_safe_integer : std::min(*bytes, core_detail::max_safe_integer);
    }
    return h;
}

/// Writes `h` as the data of an open packet, to a character container or a std::span<char>. Durations are clamped to
/// what every peer takes: 1 ms to `longest_ping`.
/// Errors: errc::invalid_utf8 in `sid`, errc::buffer_too_small.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_handshake(Target&& target, handshake const& h) {
    return core_detail::write_to(target, [&](core_detail::output& out) {
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
