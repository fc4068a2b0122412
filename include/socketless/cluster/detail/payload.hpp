// The parts that the messages of all buses are made of: packets, values and rooms, read from MessagePack or JSON.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/kind.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/json_converter.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/text/base64.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

//=== writing ===//

template <class Writer>
void write_names(Writer& out, std::string_view key, std::vector<std::string> const& names) {
    out.key(key).begin_array();
    for (std::string const& name : names) out.string(name);
    out.end_array();
}

// { rooms, except } and maybe more: the caller ends the object.
template <class Writer>
void begin_targets(Writer& out, message const& m) {
    out.begin_object();
    write_names(out, "rooms", m.rooms);
    write_names(out, "except", m.except);
}

// { rooms, except, flags }
template <class Writer>
void write_options(Writer& out, message const& m) {
    begin_targets(out, m);
    out.key("flags").begin_object();
    if (m.is_volatile) out.member("volatile", true);
    if (m.timeout) out.member("timeout", m.timeout->count());
    out.end_object().end_object();
}

// { type, data } of an event, and maybe more: the caller ends the object.
template <class Writer>
Writer& begin_packet(Writer& out, message const& m) {
    out.begin_object().member("type", static_cast<int>(socketio::packet_type::event));
    return out.member("data", m.value());
}

// Calls `f(msgpack::writer&)`, which writes one value, and appends that.
template <class F>
[[nodiscard]] result<void> write_msgpack_with(std::string& bytes, F f) {
    auto const written = msgpack::write_with(bytes, f);
    return written ? result<void>() : written.error();
}

// The same, as base64: where Redis keeps texts.
template <class F>
[[nodiscard]] result<void> write_base64_of_msgpack_with(std::string& to, F f) {
    std::string bytes;
    if (auto const written = write_msgpack_with(bytes, f); !written) return written;
    auto const begin = to.size();
    to.resize(begin + base64::encoded_size(bytes.size()));
    base64::encode(bytes, to.data() + begin);
    return {};
}

// Calls `f(json::writer&)`, which writes one value, and appends that.
template <class F>
[[nodiscard]] result<void> write_json_with(std::string& bytes, F f) {
    auto const written = core_detail::write_to(bytes, [&f](core_detail::output& out) {
        json::writer w(out);
        f(w);
        return w.status();
    });
    return written ? result<void>() : written.error();
}

//=== reading ===//

// How deep a whole message may be: around what an application wrote there are at most three containers.
[[nodiscard]] constexpr std::uint32_t max_depth_of_message(limits const& bounds) noexcept {
    constexpr std::uint32_t around = 3;
    return std::min(bounds.max_depth, limits::deepest - around) + around;
}

// Encodes an event as the packet of a broadcast: write(json::writer&) writes an array, the name and the arguments. It
// is refused if no client with these limits would take it.
template <class Write>
result<void> make_packet(message& m, limits const& bounds, Write write) {
    m.text.clear();
    auto const made =
        socketio::detail::encode_packet(m.text, &m.attachments, bounds, socketio::packet_type::event,
                                        {m.nsp, std::nullopt}, socketio::detail::payload_shape::unknown, write);
    if (!made) return made.error();
    auto const payload = socketio::decode_header(m.text, socketio::revision::v5, socketio::detail::no_limits);
    if (!payload) return payload.error();
    m.payload_begin = m.text.size() - payload->payload.size();
    return {};
}

// Encodes one JSON value: write(json::writer&) writes it. Beside attachments nothing else may look like a placeholder,
// as in a packet.
template <class Write>
result<void> make_value(message& m, limits const& bounds, Write write) {
    m.text.clear();
    m.payload_begin = 0;
    m.attachments.clear();
    auto const made = core_detail::write_to(m.text, [&](core_detail::output& out) {
        json::writer w(out, &m.attachments, bounds.max_depth);
        write(w);
        return w.status();
    });
    if (!made) return made.error();
    if (m.attachments.empty()) return {};
    if (auto const good = socketio::detail::check_attachments(m.attachments, bounds); !good) return good;
    return socketio::detail::check_own_placeholders(m.text, m.attachments.size());
}

// The description of many sockets may hold as many binary values as its size allows.
[[nodiscard]] constexpr limits bounds_of_descriptions(limits bounds) noexcept {
    constexpr std::uint32_t many = 100'000;
    bounds.max_attachments = std::max(bounds.max_attachments, many);
    return bounds;
}

// Writes MessagePack as JSON; its binary values become attachments, borrowed from it. JSON stays as it is: it cannot
// hold binary values, and what looks like a placeholder is data.
[[nodiscard]] inline auto as_json(msgpack::value from, limits const& bounds) noexcept {
    return [from, max = bounds.max_attachments](json::writer& out) {
        if (from.empty())
            out.null();
        else
            msgpack::detail::json_converter(out, max).write(from.raw());
    };
}
[[nodiscard]] inline auto as_json(json::text from, limits const&) noexcept {
    return [from](json::writer& out) { out.raw(from); };
}

// JavaScript's undefined, as notepack.io writes it.
[[nodiscard]] constexpr bool is_undefined(msgpack::value v) noexcept {
    return v.is_undefined();
}
[[nodiscard]] constexpr bool is_undefined(json::text) noexcept {
    return false;
}

// Whether it is an array, or stands for nothing: JavaScript makes an empty set of null and undefined.
[[nodiscard]] inline bool is_list(json::text list) noexcept {
    return list.is(json::kind::array) || list.is(json::kind::null);
}
[[nodiscard]] inline bool is_list(msgpack::value list) noexcept {
    return list.is(msgpack::kind::array) || list.is(msgpack::kind::null) || list.is_undefined();
}

// A string, or an integer by its decimal text.
template <class Value>
[[nodiscard]] std::optional<std::string> read_name(Value const& name) {
    if (auto text = name.template get<std::string>()) return std::move(*text);
    if (auto const number = name.template get<std::int64_t>())
        return std::string(core_detail::decimal_text(*number).view());
    return std::nullopt;
}

// The elements of an array as names. False if it is no array, too long, or has other elements.
template <class Value>
[[nodiscard]] bool read_names(Value const& array, std::vector<std::string>& names, std::size_t max) {
    names.clear();
    if (!is_list(array)) return false;
    for (auto const element : array.elements()) {
        if (names.size() == max) return false;
        auto name = read_name(element);
        if (!name) return false;
        names.push_back(std::move(*name));
    }
    return true;
}

// A member of an object.
template <class T, class Value>
[[nodiscard]] result<T> member(Value const& object, std::string_view key) {
    auto const found = object.find(key);
    return found ? found->template get<T>() : error{errc::wrong_kind};
}

// A member of an object as text; nothing if it is not there, or is no string.
template <class Value>
[[nodiscard]] std::string text_of(Value const& object, std::string_view key) {
    return member<std::string>(object, key).value_or(std::string());
}

template <class Value>
[[nodiscard]] bool is_true(Value const& object, std::string_view key) {
    return member<bool>(object, key).value_or(false);
}

// Reads whom a message is for: { rooms, except, flags }. What is not there is empty.
template <class Value>
[[nodiscard]] bool read_options(Value const& options, message& m, std::size_t max_rooms) {
    auto const rooms = options.find("rooms");
    auto const except = options.find("except");
    if (rooms && !read_names(*rooms, m.rooms, max_rooms)) return false;
    if (except && !read_names(*except, m.except, max_rooms)) return false;
    auto const flags = options.find("flags");
    if (!flags) return true;
    m.is_volatile = is_true(*flags, "volatile");
    if (auto const n = member<double>(*flags, "timeout"); n && *n >= 0)
        m.timeout = milliseconds(static_cast<std::int64_t>(std::min(*n, 1e12)));
    return true;
}

// The name and the arguments in a packet that is an event. Errors: errc::unknown_packet_type, errc::invalid_payload.
template <class Value>
[[nodiscard]] result<Value> event_data(Value const& packet) {
    auto const type = member<std::uint8_t>(packet, "type");
    bool const is_event = type && (*type == static_cast<std::uint8_t>(socketio::packet_type::event) ||
                                   *type == static_cast<std::uint8_t>(socketio::packet_type::binary_event));
    if (!is_event) return error{errc::unknown_packet_type};
    auto const data = packet.find("data");
    return data ? result<Value>(*data) : error{errc::invalid_payload};
}

// How many clients another node has asked. False if it does not say.
template <class Value>
[[nodiscard]] bool read_client_count(Value const& object, message& m) {
    auto const count = member<std::uint64_t>(object, "clientCount");
    m.count = count.value_or(0);
    return count.has_value();
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
