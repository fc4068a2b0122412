// What nodes publish on Redis: broadcasts, requests and answers are read or refused, and what was read can be encoded
// and read again. The first byte chooses the form; the rest are the bytes.

#include "input.hpp"

#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace socketless;
using namespace socketless::cluster::detail;
using cluster::detail::message;
using fuzz::check;

enum class form : std::uint8_t { broadcast, request, response, pattern };

constexpr std::string_view nsp = "/";

result<bool> read(redis_reader const& reader, form f, std::string_view bytes, message& m) {
    if (f == form::broadcast) return reader.read_broadcast(bytes, nsp, m);
    if (f == form::request) return reader.read_request(bytes, nsp, m);
    return reader.read_response(bytes, nsp, m, [](std::string_view id) { return id != "unknown"; });
}

result<void> encode(form f, std::string& bytes, message const& m) {
    if (f == form::broadcast) return encode_redis_broadcast(bytes, m);
    if (f == form::request) return encode_redis_request(bytes, m);
    return encode_redis_response(bytes, m);
}

bool is_change(message_type type) {
    return type == message_type::sockets_join || type == message_type::sockets_leave ||
           type == message_type::disconnect_sockets;
}

// What was read is as the node wants it: valid JSON, whose attachments lie within the bytes.
void check_message(message const& m, std::string_view bytes, limits const& bounds, std::size_t max_rooms) {
    check(m.nsp == nsp);
    check(m.rooms.size() <= max_rooms && m.except.size() <= max_rooms && m.others.size() <= max_rooms);
    check(m.uid.size() <= max_id_size);
    for (byte_view const a : m.attachments) check(fuzz::is_within(as_characters(a), bytes));
    if (m.type == message_type::broadcast) {
        auto const packet = socketio::decode(m.text, socketio::revision::v5, bounds);
        check(packet && packet->attachments == m.attachments.size() && packet->data == m.payload());
    } else if (!m.text.empty()) {
        auto const value = json::validate(m.text, bounds.max_depth);
        check(value && *value == m.payload());
        auto const count = static_cast<std::uint32_t>(m.attachments.size());
        if (count != 0) check(socketio::detail::count_placeholders(m.text, count).value() == count);
    }
}

void check_form(form f, bool is_strict, std::string_view bytes) {
    limits bounds;
    if (is_strict) bounds = {.max_depth = 4, .max_attachments = 2, .max_attachments_size = 8};
    std::size_t const max_rooms = is_strict ? 2 : 1'000;
    redis_reader const reader(bounds, max_rooms, "me");
    message m;
    auto const is_for_us = read(reader, f, bytes, m);
    if (!is_for_us || !*is_for_us) return;
    check_message(m, bytes, bounds, max_rooms);
    if (is_change(m.type)) m.request_id.clear(); // only older adapters have one there

    std::string once;
    check(encode(f, once, m).has_value());
    message second;
    limits const deep{.max_depth = limits::deepest};
    redis_reader const again(deep, max_rooms, "me");
    auto const read_again = read(again, f, once, second);
    check(read_again && *read_again);
    check(second.type == m.type && second.uid == m.uid && second.rooms == m.rooms && second.except == m.except &&
          second.others == m.others && second.count == m.count && second.request_id == m.request_id);
    std::string twice;
    check(encode(f, twice, second).has_value() && twice == once);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const choice = in.take();
    auto const f = static_cast<form>(choice % 4);
    if (f == form::pattern) {
        check(unescape_glob(escape_glob(in.rest())) == in.rest());
        (void)unescape_glob(in.rest());
    } else {
        check_form(f, choice >= 128, in.rest());
    }
    return 0;
}
