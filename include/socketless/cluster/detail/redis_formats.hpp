// Messages as nodes publish them on Redis: MessagePack and JSON, byte for byte as @socket.io/redis-adapter 8.3.0.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/kind.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/detail/placeholder.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// The types of requests and of their answers.
enum class redis_type : std::uint8_t {
    sockets,
    all_rooms,
    join,
    leave,
    disconnect,
    fetch,
    server_side_emit,
    broadcast,
    count,
    ack,
    unknown
};

// By their numbers.
inline constexpr auto redis_types = [] {
    using enum redis_type;
    return std::array{sockets, all_rooms, join, leave, disconnect, fetch, server_side_emit, broadcast, count, ack};
}();

[[nodiscard]] constexpr int number_of(redis_type type) noexcept {
    return static_cast<int>(type);
}

//=== writing ===//

// An attachment as JSON.stringify writes a Buffer.
inline void put_buffer(json::writer& out, byte_view bytes) {
    out.begin_object().member("type", "Buffer").key("data").begin_array();
    for (std::byte const b : bytes) out.number(std::to_integer<unsigned>(b));
    out.end_array().end_object();
}

// The payload as JSON without attachments.
inline void put_plain(json::writer& out, message const& m) {
    std::string_view const raw = m.payload().raw();
    if (m.attachments.empty()) {
        out.raw(m.payload());
        return;
    }
    std::size_t written = 0;
    out.begin_raw();
    auto const count = static_cast<std::uint32_t>(m.attachments.size());
    auto const done = socketio::detail::for_each_placeholder(raw, count, [&](socketio::detail::placeholder const& p) {
        out.raw_part(raw.substr(written, p.begin - written));
        put_buffer(out, m.attachments[p.index]);
        written = p.end;
    });
    if (!done) out.fail(done.error().code);
    out.raw_part(raw.substr(written)).end_raw();
}

// All encoders append to `bytes`. Errors: errc::invalid_utf8, errc::out_of_range (longer than 2^32-1).

// A broadcast that asks for no acknowledgements: [uid, packet, { rooms, except, flags }].
[[nodiscard]] inline result<void> encode_redis_broadcast(std::string& bytes, message const& m) {
    return write_msgpack_with(bytes, [&m](msgpack::writer& out) {
        out.begin_array().string(m.uid);
        begin_packet(out, m).member("nsp", m.nsp).end_object();
        write_options(out, m);
        out.end_array();
    });
}

// How the members of a request begin. What is empty is left out, as JSON.stringify leaves undefined out.
template <class Writer>
void begin_request(Writer& out, message const& m, redis_type type) {
    out.begin_object();
    if (!m.uid.empty()) out.member("uid", m.uid);
    if (!m.request_id.empty()) out.member("requestId", m.request_id);
    out.member("type", number_of(type));
}

// A request, or a broadcast that asks for acknowledgements. Precondition: it is one of these.
[[nodiscard]] inline result<void> encode_redis_request(std::string& bytes, message const& m) {
    if (m.type == message_type::broadcast) {
        return write_msgpack_with(bytes, [&m](msgpack::writer& out) {
            begin_request(out, m, redis_type::broadcast);
            begin_packet(out.key("packet"), m).member("nsp", m.nsp).end_object();
            out.key("opts");
            write_options(out, m);
            out.end_object();
        });
    }
    return write_json_with(bytes, [&m](json::writer& out) {
        if (m.type == message_type::server_side_emit) {
            begin_request(out, m, redis_type::server_side_emit);
            put_plain(out.key("data"), m);
            out.end_object();
            return;
        }
        begin_request(out, m,
                      m.type == message_type::sockets_join    ? redis_type::join
                      : m.type == message_type::sockets_leave ? redis_type::leave
                      : m.type == message_type::fetch_sockets ? redis_type::fetch
                                                              : redis_type::disconnect);
        out.key("opts");
        begin_targets(out, m);
        out.end_object();
        if (m.type == message_type::sockets_join || m.type == message_type::sockets_leave)
            write_names(out, "rooms", m.others);
        else if (m.type == message_type::disconnect_sockets)
            out.member("close", m.closes);
        out.end_object();
    });
}

// An answer. Precondition: it is one.
[[nodiscard]] inline result<void> encode_redis_response(std::string& bytes, message const& m) {
    if (m.type == message_type::broadcast_ack) {
        return write_msgpack_with(bytes, [&m](msgpack::writer& out) {
            out.begin_object().member("type", number_of(redis_type::ack)).member("requestId", m.request_id);
            if (!m.payload().empty()) out.member("packet", m.value()); // notepack.io leaves undefined out
            out.end_object();
        });
    }
    return write_json_with(bytes, [&m](json::writer& out) {
        out.begin_object();
        if (m.type == message_type::server_side_emit_response) {
            out.member("type", number_of(redis_type::server_side_emit)).member("requestId", m.request_id);
            if (!m.payload().empty()) put_plain(out.key("data"), m);
        } else if (m.type == message_type::broadcast_client_count) {
            out.member("type", number_of(redis_type::count)).member("requestId", m.request_id);
            out.member("clientCount", m.count);
        } else {
            out.member("requestId", m.request_id);
            put_plain(out.key("sockets"), m);
        }
        out.end_object();
    });
}

// The answer to a request of older adapters for one socket: that it is done.
[[nodiscard]] inline result<void> encode_redis_confirmation(std::string& bytes, std::string_view request_id) {
    return write_json_with(bytes,
                           [&](json::writer& out) { out.begin_object().member("requestId", request_id).end_object(); });
}

// The answer to a request for names: { requestId, sockets } or { requestId, rooms }.
[[nodiscard]] inline result<void> encode_redis_names(std::string& bytes, std::string_view request_id, redis_type type,
                                                     std::vector<std::string> const& names) {
    return write_json_with(bytes, [&](json::writer& out) {
        out.begin_object().member("requestId", request_id);
        write_names(out, type == redis_type::all_rooms ? "rooms" : "sockets", names);
        out.end_object();
    });
}

//=== reading ===//

// Reads what comes on the channels of a namespace. A function returns whether the message is for this node: false for
// its own, and for answers that it does not wait for. Attachments are borrowed from the bytes. Linear.
//
// What @socket.io/redis-adapter reads is read: JSON if the first byte is '{', otherwise MessagePack, whatever the type.
// Errors: those of json::validate and msgpack::validate; of encoders of packets; errc::unknown_packet_type,
// errc::invalid_payload for what has another shape, errc::out_of_range for too many rooms, names that are none
// and ids that are too long.
class redis_reader {
public:
    redis_reader(limits const& bounds, std::size_t max_rooms, std::string_view own_uid) noexcept
        : bounds_(&bounds), max_rooms_(max_rooms), own_uid_(own_uid) {}

    // Also false for a broadcast to another namespace: the channels of "/#a" look like rooms of "/".
    [[nodiscard]] result<bool> read_broadcast(std::string_view bytes, std::string_view nsp, message& m) const {
        begin(m, nsp);
        auto const whole = msgpack::validate(bytes, max_depth_of_message(*bounds_));
        if (!whole) return whole.error();
        msgpack::value parts[3];
        std::size_t count = 0;
        for (auto const element : whole->elements()) {
            parts[count] = element;
            if (++count == 3) break;
        }
        auto const [uid, packet, options] = parts;
        auto const sender = uid.borrow_string();
        if (!sender || !packet.is(msgpack::kind::map)) return error{errc::invalid_payload};
        if (*sender == own_uid_) return false;
        if (sender->size() > max_id_size) return error{errc::out_of_range};
        m.uid = *sender;
        auto const name = packet.find("nsp");
        if (!name || is_undefined(*name) ? nsp != "/" : !name->equals(nsp)) return false;
        m.type = message_type::broadcast;
        return finish(read_broadcast_of(packet, options, m));
    }

    [[nodiscard]] result<bool> read_request(std::string_view bytes, std::string_view nsp, message& m) const {
        begin(m, nsp);
        return read_either(bytes, [&](auto const& request) { return read_request_of(request, m); });
    }

    // A request for names: the type is `sockets`, for the ids of those in some rooms, or `all_rooms`.
    [[nodiscard]] result<redis_type> read_request_for_names(std::string_view bytes, std::string_view nsp,
                                                            message& m) const {
        begin(m, nsp);
        return read_either<redis_type>(bytes, [&](auto const& request) -> result<redis_type> {
            auto const type = redis_type_of(request);
            m.uid = text_of(request, "uid");
            bool const is_own = !m.uid.empty() && m.uid == own_uid_;
            bool const is_short = m.uid.size() <= max_id_size && text_of(request, "requestId").size() <= max_id_size;
            if (is_own || !is_short || !read_id(request, m)) return error{errc::invalid_payload};
            if (type == redis_type::all_rooms) return type;
            auto const rooms = request.find("rooms");
            bool const is_good = type == redis_type::sockets && (!rooms || read_names(*rooms, m.rooms, max_rooms_));
            return is_good ? result<redis_type>(type) : error{errc::unknown_packet_type};
        });
    }

    // `awaits(request_id)` says whether the node waits for answers to this request.
    template <class Awaits>
    [[nodiscard]] result<bool> read_response(std::string_view bytes, std::string_view nsp, message& m,
                                             Awaits awaits) const {
        begin(m, nsp);
        return read_either(bytes, [&](auto const& response) -> result<bool> {
            m.request_id = text_of(response, "requestId");
            if (m.request_id.empty() || !awaits(std::string_view(m.request_id))) return false;
            return finish(read_response_of(response, m));
        });
    }

private:
    static void begin(message& m, std::string_view nsp) {
        m.clear();
        m.nsp = nsp;
    }

    static result<bool> finish(result<void> const& read) {
        if (!read) return error{read.error().code};
        return true;
    }

    template <class T = bool, class Read>
    [[nodiscard]] result<T> read_either(std::string_view bytes, Read read) const {
        if (bytes.starts_with('{')) {
            auto const whole = json::validate(bytes, max_depth_of_message(*bounds_));
            return whole ? read(*whole) : whole.error();
        }
        auto const whole = msgpack::validate(bytes, max_depth_of_message(*bounds_));
        if (!whole) return whole.error();
        return whole->is(msgpack::kind::map) ? read(*whole) : error{errc::invalid_payload};
    }

    [[nodiscard]] static bool is_object(json::text v) noexcept { return v.is(json::kind::object); }
    [[nodiscard]] static bool is_object(msgpack::value v) noexcept { return v.is(msgpack::kind::map); }

    template <class Value>
    [[nodiscard]] static redis_type redis_type_of(Value const& object) {
        auto const number = member<std::uint8_t>(object, "type");
        return number && *number < redis_types.size() ? redis_types[*number] : redis_type::unknown;
    }

    template <class Value>
    [[nodiscard]] result<bool> read_request_of(Value const& request, message& m) const {
        m.uid = text_of(request, "uid");
        if (!m.uid.empty() && m.uid == own_uid_) return false;
        if (m.uid.size() > max_id_size || text_of(request, "requestId").size() > max_id_size)
            return error{errc::out_of_range};
        auto const options = request.find("opts").value_or(Value());
        switch (redis_type_of(request)) {
        case redis_type::join: return finish(read_change(request, options, message_type::sockets_join, m));
        case redis_type::leave: return finish(read_change(request, options, message_type::sockets_leave, m));
        case redis_type::disconnect:
            m.type = message_type::disconnect_sockets;
            m.closes = is_true(request, "close");
            return finish(read_targets(request, options, m));
        case redis_type::fetch:
            m.type = message_type::fetch_sockets;
            if (!read_id(request, m)) return error{errc::invalid_payload};
            return finish(read_some(options, m));
        case redis_type::server_side_emit:
            m.type = message_type::server_side_emit;
            read_id(request, m);
            return finish(read_event(request, m));
        case redis_type::broadcast: {
            m.type = message_type::broadcast;
            auto const packet = request.find("packet");
            if (!packet || !read_id(request, m)) return error{errc::invalid_payload};
            return finish(read_broadcast_of(*packet, options, m));
        }
        default: return error{errc::unknown_packet_type};
        }
    }

    template <class Value>
    static bool read_id(Value const& request, message& m) {
        m.request_id = text_of(request, "requestId");
        return !m.request_id.empty();
    }

    // Whom it is for.
    template <class Value>
    [[nodiscard]] result<void> read_some(Value const& options, message& m) const {
        if (!is_object(options)) return error{errc::invalid_payload};
        return read_options(options, m, max_rooms_) ? result<void>() : error{errc::out_of_range};
    }

    // Older adapters name one socket, by its id, and want to know when it is done.
    template <class Value>
    [[nodiscard]] result<void> read_targets(Value const& request, Value const& options, message& m) const {
        if (is_object(options)) return read_some(options, m);
        m.rooms.push_back(text_of(request, "sid"));
        if (m.rooms.front().empty()) return error{errc::invalid_payload};
        read_id(request, m);
        return {};
    }

    template <class Value>
    [[nodiscard]] result<void> read_change(Value const& request, Value const& options, message_type type,
                                           message& m) const {
        m.type = type;
        if (auto const read = read_targets(request, options, m); !read) return read;
        if (is_object(options)) {
            auto const rooms = request.find("rooms");
            return rooms && read_names(*rooms, m.others, max_rooms_) ? result<void>() : error{errc::out_of_range};
        }
        auto const room = request.find("room");
        auto name = room ? read_name(*room) : std::nullopt;
        if (!name) return error{errc::invalid_payload};
        m.others.push_back(std::move(*name));
        return {};
    }

    template <class Value>
    [[nodiscard]] result<void> read_broadcast_of(Value const& packet, Value const& options, message& m) const {
        if (!is_object(packet)) return error{errc::invalid_payload};
        auto const data = event_data(packet);
        if (!data) return data.error();
        if (auto const read = read_some(options, m); !read) return read;
        return make_packet(m, *bounds_, as_json(*data, *bounds_));
    }

    // An array whose first element is the name.
    template <class Value>
    [[nodiscard]] result<void> read_event(Value const& request, message& m) const {
        auto const data = request.find("data");
        if (!data) return error{errc::invalid_payload};
        if (auto const made = make_value(m, *bounds_, as_json(*data, *bounds_)); !made) return made;
        auto const elements = m.payload().elements();
        if (elements.empty()) return error{errc::invalid_event_name};
        auto const name = *elements.begin();
        bool const is_name = name.is(json::kind::string) || name.is(json::kind::number);
        return is_name ? result<void>() : error{errc::invalid_event_name};
    }

    // The answer to FETCH has no type.
    template <class Value>
    [[nodiscard]] result<void> read_response_of(Value const& response, message& m) const {
        switch (redis_type_of(response)) {
        case redis_type::count: {
            m.type = message_type::broadcast_client_count;
            return read_client_count(response, m) ? result<void>() : error{errc::invalid_payload};
        }
        case redis_type::ack: return read_answer(response, "packet", message_type::broadcast_ack, m);
        case redis_type::server_side_emit:
            return read_answer(response, "data", message_type::server_side_emit_response, m);
        default: break;
        }
        m.type = message_type::fetch_sockets_response;
        auto const sockets = response.find("sockets");
        if (!sockets) return error{errc::invalid_payload};
        limits const bounds = bounds_of_descriptions(*bounds_);
        if (auto const made = make_value(m, bounds, as_json(*sockets, bounds)); !made) return made;
        return m.payload().is(json::kind::array) ? result<void>() : error{errc::invalid_payload};
    }

    template <class Value>
    [[nodiscard]] result<void> read_answer(Value const& response, std::string_view key, message_type type,
                                           message& m) const {
        m.type = type;
        auto const answer = response.find(key);
        if (!answer || is_undefined(*answer)) return {};
        return make_value(m, *bounds_, as_json(*answer, *bounds_));
    }

    limits const* bounds_;
    std::size_t max_rooms_;
    std::string_view own_uid_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
