// What nodes publish on Redis: broadcasts, requests, answers and entries of streams are read or refused, and what was
// read can be encoded and read again; sessions that are kept are read or refused. The first byte chooses the form; the
// rest are the bytes.

#include "input.hpp"

#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>
#include <socketless/cluster/detail/stored_session.hpp>
#include <socketless/cluster/detail/stream_entry.hpp>
#include <socketless/cluster/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace socketless;
using namespace socketless::cluster::detail;
using cluster::detail::message;
using fuzz::check;

enum class form : std::uint8_t { broadcast, request, response, pattern, entry, message, session };
constexpr int form_count = 7;

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

// An entry of each type.
void check_entry(bool is_strict, std::string_view data) {
    limits bounds;
    if (is_strict) bounds = {.max_depth = 4, .max_attachments = 2, .max_attachments_size = 8};
    std::size_t const max_rooms = is_strict ? 2 : 1'000;
    for (std::string_view const type : {"3", "4", "5", "6"}) {
        std::string buffer;
        message m;
        if (!decode({"other", nsp, type, data}, buffer, m, bounds, max_rooms)) continue;
        check_message(m, buffer, bounds, max_rooms);
        check(type_field(m.type) == type);
        std::string once;
        if (!encode_stream_data(once, m)) continue; // a timeout that is written in other digits, say
        std::string buffer_again;
        message second;
        check(decode({"other", nsp, type, once}, buffer_again, second, {.max_depth = limits::deepest}, max_rooms));
        check(second.text == m.text && second.rooms == m.rooms && second.except == m.except &&
              second.others == m.others && second.attachments.size() == m.attachments.size());
    }
}

// A message of a bus that is not Redis, and of streams by Pub/Sub.
void check_bus_message(std::string_view bytes) {
    message m;
    limits const bounds;
    if (!decode(bytes, m, bounds, 1'000)) return;
    for (byte_view const a : m.attachments) check(fuzz::is_within(as_characters(a), bytes));
    std::string once;
    if (!encode(once, m)) return;
    message second;
    check(decode(once, second, {.max_depth = limits::deepest}, 1'000));
    check(second.type == m.type && second.text == m.text && second.rooms == m.rooms);
}

void check_session(std::string_view value) {
    std::size_t given = 0;
    cluster::node_options options;
    options.max_rooms = 100;
    options.read_data = [&given](socketio::argument const& data) {
        check(json::validate(data.json().raw()).has_value());
        ++given;
        return std::shared_ptr<void>();
    };
    auto const kept = decode_session(value, "pid", {}, options);
    if (!kept) return;
    check(given <= 1 && kept->session.sid.size() == random_id{}.size() && kept->session.rooms.size() <= 100);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const choice = in.take();
    auto const f = static_cast<form>(choice % form_count);
    switch (f) {
    case form::pattern:
        check(unescape_glob(escape_glob(in.rest())) == in.rest());
        (void)unescape_glob(in.rest());
        break;
    case form::entry: check_entry(choice >= 128, in.rest()); break;
    case form::message: check_bus_message(in.rest()); break;
    case form::session: check_session(in.rest()); break;
    default: check_form(f, choice >= 128, in.rest()); break;
    }
    return 0;
}
