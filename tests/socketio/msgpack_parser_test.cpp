#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/msgpack_parser.hpp>
#include <socketless/socketio/server_session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace socketio_msgpack_parser_test {

using namespace socketless;
using namespace std::string_view_literals;
using socketio::packet_type;
using socketio::sender;

namespace {

struct outgoing {
    packet_type type = packet_type::event;
    sender from = sender::server;
    std::optional<std::uint64_t> id = std::nullopt;
    std::string_view nsp = "/";
};

// The message of a packet with this payload, in hexadecimal.
template <class Payload>
std::string encoded(outgoing const& o, Payload const& payload) {
    auto const write = [&](json::writer& out) { out.value(payload); };
    socketio::outgoing_packet::write_function const f(write);
    std::string message;
    auto const kind = socketio::msgpack_parser.encode({o.type, o.nsp, o.id, o.from, &f}, message, {});
    REQUIRE(kind.has_value());
    CHECK(*kind == frame_kind::binary);
    return support::to_hex(message);
}
std::string encoded(outgoing const& o) {
    std::string message;
    CHECK(socketio::msgpack_parser.encode({o.type, o.nsp, o.id, o.from, nullptr}, message, {}).has_value());
    return support::to_hex(message);
}

std::string type(int t) {
    return "a4747970650" + std::to_string(t);
}
std::string const data = "a464617461";
std::string const id_0 = "a2696400";
std::string const root = "a36e7370a12f";
std::string const compress = "a76f7074696f6e7381a8636f6d7072657373c3";
std::string const undefined = "d40000";

errc code_of(std::string const& hex) {
    auto const p = socketio::decode_msgpack(*support::from_hex(hex));
    return p ? errc{} : p.error().code;
}

} // namespace

TEST_CASE("members stand in the order of the reference, which differs between client and server", "[msgpack]") {
    std::vector<std::string> const hi{"hi"};
    std::string const hi_data = data + "91a26869";
    using enum packet_type;
    CHECK(encoded({event, sender::server}, hi) == "83" + type(2) + hi_data + root);
    CHECK(encoded({event, sender::server, 0}, hi) == "84" + type(2) + hi_data + id_0 + root);
    CHECK(encoded({event, sender::client}, hi) == "84" + type(2) + hi_data + compress + root);
    CHECK(encoded({event, sender::client, 0}, hi) == "85" + type(2) + hi_data + compress + id_0 + root);
    CHECK(encoded({ack, sender::server, 0}, hi) == "84" + id_0 + type(3) + hi_data + root);
    CHECK(encoded({ack, sender::client, 0}, hi) == "84" + type(3) + id_0 + hi_data + root);
    CHECK(encoded({disconnect, sender::client}) == "82" + type(1) + root);
    CHECK(encoded({disconnect, sender::server}) == "82" + type(1) + root);
}

TEST_CASE("events and acknowledgements are encoded from values without a session, to the same bytes", "[msgpack]") {
    std::string const bytes(300, '\x01');
    auto const object = json::object("_placeholder", true, "num", as_bytes(bytes));
    for (sender const from : {sender::client, sender::server}) {
        for (auto const id : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(300)}) {
            std::string event;
            CHECK(socketio::encode_msgpack_event(event, from, {"/é", id}, "hi", 1.5, object).has_value());
            CHECK(support::to_hex(event) ==
                  encoded({packet_type::event, from, id, "/é"}, std::tuple("hi", 1.5, object)));
        }
        std::string ack;
        CHECK(socketio::encode_msgpack_ack(ack, from, {"/", 7}, nullptr, "x").has_value());
        CHECK(support::to_hex(ack) == encoded({packet_type::ack, from, 7}, std::tuple(nullptr, "x")));
    }
    std::string kept = "kept";
    auto const code = [&](auto const& r) { return r ? errc{} : r.error().code; };
    using socketio::encode_msgpack_ack;
    using socketio::encode_msgpack_event;
    CHECK(code(encode_msgpack_event(kept, sender::client, {}, "connect")) == errc::reserved_event_name);
    CHECK(code(encode_msgpack_event(kept, sender::client, {"a"}, "x")) == errc::invalid_namespace);
    CHECK(code(encode_msgpack_event(kept, sender::client, {"/", std::uint64_t{1} << 53}, "x")) == errc::invalid_ack_id);
    CHECK(code(encode_msgpack_event(kept, sender::client, {}, "x", "\xff")) == errc::invalid_utf8);
    CHECK(code(encode_msgpack_ack(kept, sender::client, {})) == errc::missing_ack_id);
    CHECK(kept == "kept");
}

TEST_CASE("a packet fits into as many bytes as it has, and writes to none behind less", "[msgpack][hostile]") {
    for (sender const from : {sender::server, sender::client}) {
        for (std::uint64_t const id : {std::uint64_t{0}, std::uint64_t{300}, socketio::max_ack_id}) {
            for (std::string_view const nsp : {"/"sv, "/a"sv}) {
                auto const check = [&](auto encode) {
                    std::string whole;
                    REQUIRE(encode(whole));
                    for (std::size_t size = 0; size <= whole.size(); ++size) {
                        std::vector<char> memory(size); // the sanitizer sees what is written behind it
                        auto const written = encode(std::span<char>(memory));
                        CHECK((size == whole.size() ? written == size && std::ranges::equal(memory, whole)
                                                    : written == error{errc::buffer_too_small, whole.size()}));
                    }
                };
                check(
                    [&](auto&& target) { return socketio::encode_msgpack_event(target, from, {.nsp = nsp}, "e", 1); });
                check([&](auto&& target) {
                    return socketio::encode_msgpack_event(target, from, {nsp, id}, "e", true);
                });
                check([&](auto&& target) { return socketio::encode_msgpack_ack(target, from, {nsp, id}); });
            }
        }
    }
}

TEST_CASE("CONNECT names undefined what is not there, as the reference does", "[msgpack]") {
    using enum packet_type;
    CHECK(encoded({connect, sender::client}) == "83" + type(0) + data + undefined + root);
    CHECK(encoded({connect, sender::client}, json::object("a", 1)) == "83" + type(0) + data + "81a16101" + root);
    CHECK(encoded({connect, sender::server}, json::object("sid", "x")) ==
          "83" + type(0) + data + "82a3736964a178" + "a3706964" + undefined + root);
    CHECK(encoded({connect, sender::server}, json::object("sid", "x", "pid", "y")) ==
          "83" + type(0) + data + "82a3736964a178a3706964a179" + root);
    CHECK(encoded({connect_error, sender::server}, json::object("message", "no")) ==
          "83" + type(4) + data + "81a76d657373616765a26e6f" + root);
}

TEST_CASE("a packet is decoded in place, its members in any order, others passed over", "[msgpack]") {
    constexpr auto message = "\x86\xa3nsp\xa2/a\xa4type\x03\xa1x\x92\x01\x02\xa2id\xcd\x01\x00\xa4type\x02\xa4"
                             "data\x92\xa2hi\x07"sv;
    static constexpr auto p = socketio::decode_msgpack(message);
    static_assert(p && p->type == packet_type::event && p->nsp == "/a" && p->id == 256u);
    static_assert(p->data.size() == 2 && p->data.elements().begin().operator*().equals("hi"));
}

TEST_CASE("undefined stands for what is not there", "[msgpack]") {
    std::string const message = "84" + type(1) + data + undefined + "a26964" + undefined + root;
    auto const bytes = *support::from_hex(message);
    auto const p = socketio::decode_msgpack(bytes);
    REQUIRE(p.has_value());
    CHECK(p->data.empty());
    CHECK_FALSE(p->id.has_value());
}

TEST_CASE("what is no packet has an error that says why", "[msgpack]") {
    CHECK(code_of("") == errc::invalid_msgpack);
    CHECK(code_of("c0") == errc::unknown_packet_type);
    CHECK(code_of("80") == errc::unknown_packet_type);
    CHECK(code_of("82a474797065a132" + root) == errc::unknown_packet_type);
    CHECK(code_of("82" + type(5) + root) == errc::unknown_packet_type);
    CHECK(code_of("82a474797065ff" + root) == errc::unknown_packet_type);
    CHECK(code_of("82a474797065cbc000000000000000" + root) == errc::unknown_packet_type);
    CHECK(code_of("81" + type(1)) == errc::invalid_namespace);
    CHECK(code_of("82" + type(1) + "a36e737001") == errc::invalid_namespace);
    CHECK(code_of("83" + type(2) + "a26964c0" + root) == errc::invalid_ack_id);
    CHECK(code_of("83" + type(2) + "a26964ff" + root) == errc::invalid_ack_id);
    CHECK(code_of("83" + type(2) + "a26964cf0020000000000000" + root) == errc::invalid_ack_id);
    CHECK(code_of("83" + type(2) + "a26964cf001fffffffffffff" + root) == errc{});
    CHECK(code_of("82" + type(1) + root + "00") == errc::invalid_msgpack);
    CHECK(code_of("82" + type(1) + "a36e7370a1ff") == errc::invalid_utf8);
    CHECK(code_of("83" + type(2) + data + "dbffffffff" + root) == errc::invalid_msgpack);
    CHECK(code_of("83" + type(2) + data + "ddffffffff" + root) == errc::invalid_msgpack);
    CHECK(code_of("dfffffffff" + type(2)) == errc::invalid_msgpack);
}

TEST_CASE("depth counts from the payload on, as for JSON", "[msgpack]") {
    for (std::uint32_t const depth : {1u, 3u, 4u}) {
        std::string const bytes = *support::from_hex("83" + type(2) + data + "91919190" + root);
        auto const p = socketio::decode_msgpack(bytes, {.max_depth = depth});
        CHECK(p.has_value() == (depth == 4));
    }
}

namespace {

// How a server's session takes a message: the events that come of it, at least one, in words.
std::string taken(std::string_view message) {
    socketio::server_options options;
    options.parser = &socketio::msgpack_parser;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, socketio::revision::v5, {});
    std::string told;
    auto const drain = [&] {
        while (auto e = session.poll_event()) {
            if (e->type == socketio::event_type::connecting) CHECK(session.accept(e->socket, "sid").has_value());
            if (e->type == socketio::event_type::event) {
                told += "event ";
                for (auto const argument : e->args()) {
                    CHECK(json::validate(argument.json().raw()).has_value());
                    if (auto const bytes = argument.binary()) told += std::to_string(bytes->size()) + " ";
                }
            }
            if (e->type == socketio::event_type::closed) told += "closed: " + std::string(name(e->reason));
        }
        while (auto const t = session.poll_transmit()) {
            if (t->type == socketio::transmit_type::message) CHECK(t->message.kind == frame_kind::binary);
        }
    };
    std::string const connect = *support::from_hex("83" + type(0) + data + undefined + root);
    session.message_received({frame_kind::binary, connect}, {});
    drain();
    session.message_received({frame_kind::binary, message}, {});
    drain();
    return told;
}

std::string taken_hex(std::string const& hex) {
    auto const bytes = *support::from_hex(hex);
    return taken(bytes);
}

} // namespace

TEST_CASE("a session holds packets in MessagePack to the rules of all packets", "[msgpack][hostile]") {
    CHECK(taken_hex("83" + type(2) + data + "92a26869c40101" + root) == "event 1 ");
    CHECK(taken_hex("83" + type(2) + data + "9101" + root) == "event "); // a number can be a name
    for (std::string const& bad : {
             "83" + type(2) + data + "90" + root,                          // no name
             "83" + type(2) + data + "91c3" + root,                        // no string
             "83" + type(2) + data + "91c40101" + root,                    // binary
             "83" + type(2) + data + "81a16101" + root,                    // no array
             "82" + type(2) + root,                                        // no payload
             "83" + type(2) + data + "91a7636f6e6e656374" + root,          // "connect"
             "83" + type(3) + data + "90" + root,                          // no id
             "83" + type(1) + data + "01" + root,                          // DISCONNECT has none
             "84" + type(2) + data + "91a26869" + "a1780181a16101" + root, // trailing members
             "83" + type(2) + data + "91a26869" + "a36e7370a161",          // "a" is no namespace
             "83" + type(2) + data + "91a26869" + "a36e7370a32f2c61",      // "/,a" neither
             // data that looks like a placeholder, beside binary data: a default encoding could not tell them apart
             "83" + type(2) + data + "93a161c4010182ac5f706c616365686f6c646572c3a36e756d00" + root,
             "83" + type(2) + data + "92a2686981" + "c001" + root, // a key that is null
         }) {
        INFO(bad);
        CHECK(taken_hex(bad) == "closed: parse error");
    }
}

TEST_CASE("a key that is an array or a map is refused, and nothing of it comes to stand beside the payload",
          "[msgpack][hostile]") {
    std::string const nsp_and_data = "83" + type(2) + root + data;
    for (std::string const& bad : {
             nsp_and_data + "92a17881" + "93d40000010203", // an array whose first element is undefined
             nsp_and_data + "92a17881" + "92d40000a4726f6c65" + "a561646d696e",
             nsp_and_data + "92a17881" + "81d4000001" + "c0", // a map
             nsp_and_data + "92a17881" + "c0d40000",          // null: undefined
         }) {
        INFO(bad);
        CHECK(taken_hex(bad) == "closed: parse error");
    }
    socketio::incoming_packet packet;
    std::string const connect = *support::from_hex("83" + type(0) + root + data + "8192d40000a4726f6c65a561646d696e");
    CHECK_FALSE(socketio::msgpack_parser.decode({frame_kind::binary, connect}, packet, {}).has_value());
    CHECK(packet.payload.empty());
}

TEST_CASE("many binary values that are nearly empty are refused before they take memory", "[msgpack][hostile]") {
    auto const with = [](std::size_t count, std::string_view value) {
        std::string bytes = *support::from_hex("83" + type(2) + root + data + "92a26869dd");
        for (unsigned i = 4; i-- != 0;) bytes += static_cast<char>(count >> i * 8u & 0xffu);
        for (std::size_t i = 0; i != count; ++i) bytes += value;
        return bytes;
    };
    std::string const empty("\xc4\0", 2);
    std::string const extension("\xd4\x01x", 3);
    std::string const left_out("\xd4\0\0", 3);
    std::string const full = "\xc4\x10" + std::string(16, 'x');
    CHECK(taken(with(1'000, empty)).starts_with("event "));
    CHECK(taken(with(2'000, empty)) == "closed: parse error");
    CHECK(taken(with(400'000, empty)) == "closed: parse error");
    CHECK(taken(with(2'000, extension)) == "closed: parse error");
    CHECK(taken(with(20'000, left_out)).starts_with("event "));
    CHECK(taken(with(20'000, full)).starts_with("event "));
}

TEST_CASE("every prefix and every changed byte of a packet is taken or refused, without a crash",
          "[msgpack][hostile]") {
    std::string const good = *support::from_hex("85" + type(2) + data + "96a26869c4020102cb3ff8000000000000" +
                                                "82a161d7ff0000000100000000a16293c3c0d40000" + "a3c3a978" + "cd0100" +
                                                compress + id_0 + root);
    CHECK(taken(good) == "event 2 ");
    auto const check = [&](std::string_view s) {
        auto const told = taken(s);
        CHECK((told.starts_with("event ") || told.starts_with("closed: ") || told.empty()));
    };
    support::for_each_prefix(good, [&](std::string_view s) {
        if (s.size() != good.size()) CHECK(taken(s) == "closed: parse error");
    });
    support::for_each_changed_byte(good, check);
    support::for_each_removed_byte(good, check);
}

TEST_CASE("text is no packet in MessagePack", "[msgpack][hostile]") {
    socketio::server_options options;
    options.parser = &socketio::msgpack_parser;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, socketio::revision::v5, {});
    session.message_received({frame_kind::text, "0"}, {});
    auto const e = session.poll_event();
    REQUIRE(e.has_value());
    CHECK(e->type == socketio::event_type::closed);
    CHECK(e->reason == socketio::disconnect_reason::parse_error);
}

} // namespace socketio_msgpack_parser_test
