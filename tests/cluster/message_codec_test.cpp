// The messages of nodes over a bus of the caller's own: the bytes, and what may come instead of them.

#include "drivers/cluster.hpp"
#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/msgpack/writer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cluster_message_codec_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_literals;
using cluster::detail::message;
using cluster::detail::message_type;
using support::cluster_of;
using support::lines;

namespace {

constexpr std::size_t max_rooms = 1000;

std::string encoded(message const& m) {
    std::string bytes;
    CHECK(cluster::detail::encode(bytes, m).has_value());
    return bytes;
}
bool decoded(std::string_view bytes, message& m) {
    return cluster::detail::decode(bytes, m, limits(), max_rooms);
}
bool is_good(std::string_view bytes) {
    message m;
    return decoded(bytes, m);
}

void check_same(message const& a, message const& b) {
    CHECK(a.type == b.type);
    CHECK(a.uid == b.uid);
    CHECK(a.nsp == b.nsp);
    CHECK(a.request_id == b.request_id);
    CHECK(a.rooms == b.rooms);
    CHECK(a.except == b.except);
    CHECK(a.is_volatile == b.is_volatile);
    CHECK(a.timeout == b.timeout);
    CHECK(a.others == b.others);
    CHECK(a.closes == b.closes);
    CHECK(a.count == b.count);
    CHECK(a.text == b.text);
    CHECK(a.payload_begin == b.payload_begin);
    CHECK(a.attachments.size() == b.attachments.size());
    for (std::size_t i = 0; i != std::min(a.attachments.size(), b.attachments.size()); ++i)
        CHECK(as_characters(a.attachments[i]) == as_characters(b.attachments[i]));
}

// A map in MessagePack: write(msgpack::writer&) writes its members.
template <class Write>
std::string map_of(Write write) {
    std::string bytes;
    CHECK(msgpack::write_with(bytes, [&](msgpack::writer& out) {
              out.begin_object();
              write(out);
              out.end_object();
          }).has_value());
    return bytes;
}

// A message with this data.
template <class Write>
std::string message_of(message_type type, Write write, std::string_view uid = "other") {
    return map_of([&](msgpack::writer& out) {
        out.member("type", static_cast<std::uint8_t>(type)).key("data").begin_object();
        write(out);
        out.end_object().member("uid", uid).member("nsp", "/");
    });
}

message message_in(message_type type) {
    message m;
    m.type = type;
    m.uid = "0123456789abcdef";
    m.nsp = "/chat";
    return m;
}

constexpr std::string_view bytes_text = "\x01\x02";

// Messages of all types, with all that they may have.
std::vector<message> all_messages() {
    using enum message_type;
    std::vector<message> all;
    for (auto const type : {initial_heartbeat, heartbeat, adapter_close}) all.push_back(message_in(type));
    for (auto const type : {broadcast, sockets_join, sockets_leave, disconnect_sockets, fetch_sockets}) {
        message m = message_in(type);
        m.rooms = {"a", "é", std::string(300, 'x')};
        m.except = {"b"};
        if (type == broadcast) {
            m.text = R"(2/chat,["hello",1,-1.5,null,{"a":[true]}])";
            m.payload_begin = 7;
            all.push_back(m);
            m.is_volatile = true;
            m.text = R"(51-/chat,["hello",{"_placeholder":true,"num":0}])";
            m.payload_begin = 9;
            m.attachments = {as_bytes(bytes_text)};
            all.push_back(m);
            m.is_volatile = false;
            m.timeout = 1234ms;
        }
        if (type == broadcast || type == fetch_sockets) m.request_id = "fedcba9876543210";
        if (type == sockets_join || type == sockets_leave) m.others = {"c", "d"};
        all.push_back(m);
        if (type == disconnect_sockets) {
            m.closes = true;
            all.push_back(m);
        }
    }
    message m = message_in(server_side_emit);
    m.text = R"(["name",{"x":{"_placeholder":true,"num":0}},1])";
    m.attachments = {as_bytes(bytes_text)};
    all.push_back(m);
    m.request_id = "fedcba9876543210";
    all.push_back(m);
    m.type = fetch_sockets_response;
    m.text = R"([{"id":"s","handshake":{},"rooms":["s","a"],"data":{"_placeholder":true,"num":0}}])";
    all.push_back(m);
    for (auto const type : {server_side_emit_response, broadcast_ack}) {
        m.type = type;
        m.text = R"({"_placeholder":true,"num":0})";
        m.attachments = {as_bytes(bytes_text)};
        all.push_back(m);
        m.text.clear(); // no value
        m.attachments.clear();
        all.push_back(m);
        m.text = "null";
        all.push_back(m);
    }
    m.type = broadcast_client_count;
    m.text.clear();
    for (std::uint64_t const n : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 53u, ~std::uint64_t{0}}) {
        m.count = n;
        all.push_back(m);
    }
    return all;
}

} // namespace

TEST_CASE("each message decodes to what was encoded, whatever was decoded before it", "[cluster]") {
    message again;
    std::array<bool, 14> types{};
    for (auto const& m : all_messages()) {
        auto const bytes = encoded(m);
        CAPTURE(support::to_hex(bytes));
        REQUIRE(decoded(bytes, again));
        check_same(again, m);
        CHECK(encoded(again) == bytes);
        types[static_cast<std::size_t>(m.type)] = true;
    }
    CHECK(std::ranges::count(types, true) == 13);
}

TEST_CASE("the messages of the Redis Streams adapter decode, and encode to the same bytes", "[cluster]") {
    std::size_t rows = 0;
    for (auto const& line : support::data_lines("cluster/messages.jsonl")) {
        CAPTURE(line);
        ++rows;
        auto const row = json::validate(line);
        REQUIRE(row);
        auto const bytes = support::from_hex(*row->find("hex")->get<std::string>());
        REQUIRE(bytes);
        message m;
        REQUIRE(decoded(*bytes, m));
        auto const wanted = *row->find("message");
        CHECK(wanted.find("type")->get<std::uint8_t>() == static_cast<std::uint8_t>(m.type));
        CHECK(wanted.find("uid")->get<std::string>() == m.uid);
        CHECK(wanted.find("nsp")->get<std::string>() == m.nsp);
        if (auto const data = wanted.find("data")) {
            auto const id = data->find("requestId");
            CHECK(m.request_id == (id ? *id->get<std::string>() : ""));
            if (auto const opts = data->find("opts")) {
                CHECK(opts->find("rooms")->get<std::vector<std::string>>() == m.rooms);
                CHECK(opts->find("except")->get<std::vector<std::string>>() == m.except);
            }
        }
        if (row->find("note"))
            CHECK(encoded(m) != *bytes);
        else
            CHECK(support::to_hex(encoded(m)) == support::to_hex(*bytes));
    }
    CHECK(rows == 28);
}

TEST_CASE("each prefix and each change of one byte of a message is accepted or refused without harm", "[cluster]") {
    message m;
    std::string again;
    for (auto const& good : all_messages()) {
        auto const bytes = encoded(good);
        support::for_each_prefix(
            bytes, [&](std::string_view changed) { CHECK(decoded(changed, m) == (changed.size() == bytes.size())); });
        support::for_each_changed_byte(bytes, [&](std::string_view changed) {
            if (!decoded(changed, m)) return;
            again.clear();
            if (!cluster::detail::encode(again, m)) FAIL_CHECK(support::to_hex(changed));
        });
    }
}

TEST_CASE("a node takes each prefix and each change of one byte without harm", "[cluster]") {
    cluster_of c(1);
    c.connect(0, {"a"}, "/");
    c.node(0).in("/").emit_with_ack(60s, "q").ignore();
    for (auto good : all_messages()) {
        good.nsp = "/";
        good.rooms = {"a"};
        good.except = {};
        support::for_each_mutation(encoded(good), [&](std::string_view changed) {
            c.node(0).received(changed, c.now());
            while (c.node(0).poll_event()) {
            }
            while (c.node(0).poll_transmit()) {
            }
        });
    }
    c.pass(700s);
    CHECK(c.node(0).request_count() == 0);
    CHECK(c.node(0).node_count() == 0);
}

TEST_CASE("lengths with nothing behind them reserve nothing", "[cluster]") {
    std::string const most = "\xff\xff\xff\xff"s;
    for (auto const* const head : {"\xdd", "\xdf", "\xdb", "\xc6", "\xc9"}) {
        CHECK_FALSE(is_good(head + most));
        auto const inside = map_of([&](msgpack::writer& out) {
            out.member("type", 3).member("uid", "x").member("nsp", "/").key("data").null();
        });
        CHECK_FALSE(is_good(inside.substr(0, inside.size() - 1) + head + most));
    }
}

TEST_CASE("what is nested too deep is refused, wherever it is", "[cluster]") {
    for (std::size_t const depth : {std::size_t{900}, std::size_t{1'001}, std::size_t{1'000'000}}) {
        for (std::string const& open : {"\x91"s, "\x81\xa1x"s}) {
            std::string nested;
            for (std::size_t i = 0; i != depth; ++i) nested += open;
            nested += '\xc0';
            auto const bytes = message_of(message_type::broadcast_ack, [&](msgpack::writer& out) {
                out.member("requestId", "x").key("packet").null();
            });
            auto const at = bytes.find("packet") + 6;
            CHECK(is_good(bytes.substr(0, at) + nested + bytes.substr(at + 1)) == (depth == 900));
        }
    }
}

TEST_CASE("of doubled keys the last counts, as in JavaScript", "[cluster]") {
    message m;
    REQUIRE(decoded(map_of([](msgpack::writer& out) {
                        out.member("type", 3).member("type", 2).member("uid", "x").member("uid", "y");
                        out.member("nsp", "/").member("nsp", "/a");
                    }),
                    m));
    CHECK(m.type == message_type::heartbeat);
    CHECK(m.uid == "y");
    CHECK(m.nsp == "/a");
}

TEST_CASE("a message without a known type, a sender or a namespace is refused", "[cluster]") {
    auto const with = [](auto type, std::string_view uid, std::string_view nsp) {
        return map_of([&](msgpack::writer& out) { out.member("type", type).member("uid", uid).member("nsp", nsp); });
    };
    CHECK(is_good(with(2, "x", "/")));
    CHECK(is_good(with(2.0, "x", "/")));
    CHECK_FALSE(is_good(with(0, "x", "/")));
    CHECK_FALSE(is_good(with(14, "x", "/")));
    CHECK_FALSE(is_good(with(258, "x", "/")));
    CHECK_FALSE(is_good(with(-1, "x", "/")));
    CHECK_FALSE(is_good(with(2.5, "x", "/")));
    CHECK_FALSE(is_good(with("2", "x", "/")));
    CHECK_FALSE(is_good(with(2, "", "/")));
    CHECK_FALSE(is_good(with(2, "x", "")));
    for (std::string const& bytes : {""s, "\xc0"s, "\x90"s, "\x80"s, "\x81\xa4type\x02"s, "\x01"s, "\xc1"s})
        CHECK_FALSE(is_good(bytes));
    CHECK_FALSE(is_good(with(2, "x", "/") + "\xc0")); // something behind it
}

TEST_CASE("names of nodes and requests are short: what is kept of them is", "[cluster]") {
    auto const of = [](std::size_t uid_size, std::size_t id_size) {
        return message_of(
            message_type::fetch_sockets,
            [&](msgpack::writer& out) { out.member("requestId", std::string(id_size, 'i')); },
            std::string(uid_size, 'u'));
    };
    CHECK(is_good(of(256, 256)));
    CHECK_FALSE(is_good(of(257, 256)));
    CHECK_FALSE(is_good(of(256, 257)));
    CHECK_FALSE(is_good(of(1, 0)));
}

TEST_CASE("a broadcast of what is no event is refused", "[cluster]") {
    auto const of = [](int type, auto write) {
        return message_of(message_type::broadcast, [&](msgpack::writer& out) {
            out.key("packet").begin_object().member("type", type).key("data");
            write(out);
            out.end_object();
        });
    };
    auto const event = [](msgpack::writer& out) { out.begin_array().string("x").end_array(); };
    CHECK(is_good(of(2, event)));
    CHECK(is_good(of(5, event)));
    for (int const type : {0, 1, 3, 4, 6, 7, 258, -2}) CHECK_FALSE(is_good(of(type, event)));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) { out.null(); })));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) { out.begin_array().end_array(); })));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) { out.begin_object().end_object(); })));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) { out.begin_array().null().end_array(); })));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) { out.begin_array().string("connect").end_array(); })));
    CHECK_FALSE(is_good(of(2, [](msgpack::writer& out) {
        out.begin_array().string("x");
        for (int i = 0; i != 11; ++i) out.binary(as_bytes("\x01"));
        out.end_array();
    })));
    CHECK_FALSE(is_good(message_of(message_type::broadcast, [](msgpack::writer&) {})));
}

TEST_CASE("a map that stands for an attachment is refused, so that no client takes it for one", "[cluster]") {
    auto const bytes = message_of(message_type::broadcast, [&](msgpack::writer& out) {
        out.key("packet").begin_object().member("type", 2).key("data").begin_array().string("x");
        out.begin_object().member("_placeholder", true).member("num", 0).end_object();
        out.binary(as_bytes("\x01")).end_array().end_object();
    });
    message m;
    if (decoded(bytes, m)) {
        auto const packet = socketio::decode(m.text);
        CHECK((packet.has_value() && packet->attachments == m.attachments.size()));
    }
}

TEST_CASE("rooms that are numbers are their decimal text, other values are refused", "[cluster]") {
    auto const of = [](auto write) {
        return message_of(message_type::sockets_join, [&](msgpack::writer& out) {
            out.key("opts").begin_object().key("rooms").begin_array();
            write(out);
            out.end_array().end_object().key("rooms").begin_array();
            write(out);
            out.end_array();
        });
    };
    message m;
    REQUIRE(decoded(of([](msgpack::writer& out) { out.value(1).value(-7).value(std::int64_t{1} << 53u); }), m));
    CHECK(m.rooms == lines{"1", "-7", "9007199254740992"});
    CHECK(m.others == m.rooms);
    CHECK_FALSE(is_good(of([](msgpack::writer& out) { out.null(); })));
    CHECK_FALSE(is_good(of([](msgpack::writer& out) { out.begin_array().end_array(); })));
    CHECK_FALSE(is_good(of([](msgpack::writer& out) { out.value(true); })));
    CHECK_FALSE(is_good(of([](msgpack::writer& out) {
        for (std::size_t i = 0; i != max_rooms + 1; ++i) out.value(1);
    })));
}

TEST_CASE("extensions of any type do no harm", "[cluster]") {
    auto const bytes = message_of(message_type::broadcast_ack,
                                  [&](msgpack::writer& out) { out.member("requestId", "x").key("packet").null(); });
    auto const at = bytes.find("packet") + 6;
    for (int type = -128; type != 128; ++type) {
        for (std::string const& head : {"\xd4"s, "\xd5"s, "\xd6"s, "\xd7"s, "\xd8"s, "\xc7\x00"s, "\xc7\x01"s,
                                        "\xc8\x00\x02"s, "\xc9\x00\x00\x00\x0c"s}) {
            auto const size = head[0] == '\xd4'   ? 1u
                              : head[0] == '\xd5' ? 2u
                              : head[0] == '\xd6' ? 4u
                              : head[0] == '\xd7' ? 8u
                              : head[0] == '\xd8' ? 16u
                                                  : static_cast<unsigned>(static_cast<unsigned char>(head.back()));
            std::string const whole = head + static_cast<char>(type) + std::string(size, '\x01');
            message m;
            if (!decoded(bytes.substr(0, at) + whole + bytes.substr(at + 1), m)) continue;
            CHECK((m.text.empty() || json::validate(m.text).has_value()));
        }
    }
}

TEST_CASE("options are read of those messages that have some", "[cluster]") {
    for (unsigned type = 1; type <= static_cast<unsigned>(message_type::adapter_close); ++type) {
        auto const bytes = message_of(static_cast<message_type>(type), [](msgpack::writer& out) {
            out.member("requestId", "fedcba9876543210").member("clientCount", 1);
            out.key("packet").begin_array().string("x").end_array().key("sockets").begin_array().end_array();
            out.key("opts").begin_object().key("rooms").begin_array().string("room").end_array();
            out.key("except").begin_array().end_array().end_object();
        });
        message m;
        if (!decoded(bytes, m)) continue;
        message again;
        CHECK(decoded(encoded(m), again));
        CHECK(again.rooms == m.rooms);
    }
}

TEST_CASE("a count is an integer of at least 0", "[cluster]") {
    auto const of = [](auto count) {
        return message_of(message_type::broadcast_client_count,
                          [&](msgpack::writer& out) { out.member("requestId", "x").member("clientCount", count); });
    };
    message m;
    REQUIRE(decoded(of(~std::uint64_t{0}), m));
    CHECK(m.count == ~std::uint64_t{0});
    REQUIRE(decoded(of(9007199254740992.0), m));
    CHECK(m.count == std::uint64_t{1} << 53u);
    CHECK_FALSE(is_good(of(-1)));
    CHECK_FALSE(is_good(of(1.5)));
    CHECK_FALSE(is_good(of(1e300)));
    CHECK_FALSE(is_good(of("1")));
    CHECK_FALSE(is_good(message_of(message_type::broadcast_client_count, [](msgpack::writer&) {})));
}

TEST_CASE("times that make no sense are no times, and long ones are cut", "[cluster]") {
    auto const of = [](auto timeout) {
        return message_of(message_type::fetch_sockets, [&](msgpack::writer& out) {
            out.member("requestId", "x").key("opts").begin_object().key("flags").begin_object();
            out.member("timeout", timeout).end_object().end_object();
        });
    };
    message m;
    REQUIRE(decoded(of(1.7), m));
    CHECK(m.timeout == 1ms);
    for (double const t : {-1.0, -1e300}) {
        REQUIRE(decoded(of(t), m));
        CHECK_FALSE(m.timeout);
    }
    REQUIRE(decoded(of(1e300), m));
    CHECK(m.timeout == milliseconds(1'000'000'000'000));
    REQUIRE(decoded(of("1000"), m));
    CHECK_FALSE(m.timeout);
}

TEST_CASE("a binary value of 16 MB passes from client to client", "[cluster]") {
    cluster_of::settings s;
    s.node.max_message = std::size_t{20} << 20u;
    s.server.sockets.max_queued = s.server.engine.max_queued = std::size_t{20} << 20u;
    cluster_of c(2, s);
    c.connect(0);
    auto const far = c.connect(1);
    std::string const large(std::size_t{16} << 20u, '\x55');
    std::size_t size = 0;
    c.on_client_event = [&](std::size_t n, socketio::event& e) {
        if (n == far && e.type == socketio::event_type::event) size = e.packet.attachments[0].size();
    };
    CHECK(c.node(0).in("/").emit("large", as_bytes(large)));
    c.settle();
    CHECK(size == large.size());
}

//=== what may be said to a node ===//

namespace {

// A node, and one other that the test plays, which is asked all that can be asked.
struct asking : cluster_of {
    asking() : cluster_of(1) {
        connect(0);
        receive(message_of(message_type::heartbeat, [](msgpack::writer&) {}));
        settle();
        told(0);
        replies = *node(0).server_side_emit_with_ack("/", 1s, "q");
        replies_id = next_id();
        sockets = *node(0).in("/").fetch_sockets(1s);
        sockets_id = next_id();
        acks = *node(0).in("/").except(clients[0].sid).emit_with_ack(1s, "q");
        acks_id = next_id();
        settle();
        CHECK(told(0) == lines{"sockets 2: c0 from 0"});
    }

    void receive(std::string_view bytes) {
        node(0).received(bytes, now());
        settle();
    }
    std::string next_id() {
        auto const t = node(0).poll_transmit();
        REQUIRE(t);
        message m;
        REQUIRE(decoded(t->bytes, m));
        return m.request_id;
    }
    static std::string sockets_of(std::string_view id, std::string_view uid = "other") {
        return message_of(
            message_type::fetch_sockets_response,
            [&](msgpack::writer& out) { out.member("requestId", id).key("sockets").begin_array().end_array(); }, uid);
    }
    static std::string value_of(message_type type, std::string_view id, std::string_view uid = "other") {
        return message_of(
            type, [&](msgpack::writer& out) { out.member("requestId", id).member("packet", 1); }, uid);
    }
    static std::string count_of(std::string_view id, std::uint64_t n, std::string_view uid = "other") {
        return message_of(
            message_type::broadcast_client_count,
            [&](msgpack::writer& out) { out.member("requestId", id).member("clientCount", n); }, uid);
    }

    std::uint64_t replies = 0, sockets = 0, acks = 0;
    std::string replies_id, sockets_id, acks_id;
};

} // namespace

TEST_CASE("answers of the wrong kind, of strangers, and to no request are ignored", "[cluster]") {
    using enum message_type;
    asking c;
    auto const before = c.node(0).counts();
    for (auto const& id : {c.replies_id, c.acks_id}) c.receive(asking::sockets_of(id));
    for (auto const& id : {c.sockets_id, c.acks_id}) c.receive(asking::value_of(server_side_emit_response, id));
    for (auto const& id : {c.sockets_id, c.replies_id}) c.receive(asking::value_of(broadcast_ack, id));
    for (auto const& id : {c.sockets_id, c.replies_id}) c.receive(asking::count_of(id, 1));
    c.receive(asking::value_of(broadcast_ack, c.acks_id)); // before it was said how many there will be
    std::string upper = c.replies_id;
    for (char& x : upper) x = static_cast<char>(x >= 'a' ? x - 'a' + 'A' : x);
    for (std::string const& id : {""s, "x"s, "0000000000000000"s, "gggggggggggggggg"s, upper + "0", c.replies_id + "0"})
        c.receive(asking::value_of(server_side_emit_response, id));
    CHECK(c.node(0).counts().ignored == before.ignored + 15);
    CHECK(c.node(0).counts().received == before.received);
    c.receive(asking::value_of(server_side_emit_response, c.replies_id, "stranger"));
    CHECK(c.node(0).counts().ignored == before.ignored + 16);
    CHECK(c.told(0) == lines{"joined stranger"});
    CHECK(c.node(0).request_count() == 3);
    c.receive(asking::value_of(server_side_emit_response, c.replies_id));
    c.receive(asking::sockets_of(c.sockets_id));
    c.receive(asking::count_of(c.acks_id, 1));
    c.receive(asking::value_of(broadcast_ack, c.acks_id));
    CHECK(c.told(0) == lines{"reply 1: 1 from other", "complete 1: 1 of 1, whole", "sockets 2: from other",
                             "complete 2: 1 of 1, whole", "ack 3: 1 from other", "complete 3: 1 of 1, whole"});
}

TEST_CASE("an answer that comes again counts once", "[cluster]") {
    using enum message_type;
    asking c;
    c.receive(message_of(
        heartbeat, [](msgpack::writer&) {}, "third"));
    c.told(0);
    for (int i = 0; i != 3; ++i) c.receive(asking::value_of(server_side_emit_response, c.replies_id));
    for (int i = 0; i != 3; ++i) c.receive(asking::sockets_of(c.sockets_id));
    for (int i = 0; i != 3; ++i) c.receive(asking::count_of(c.acks_id, 2));
    for (int i = 0; i != 5; ++i) c.receive(asking::value_of(broadcast_ack, c.acks_id));
    CHECK(c.told(0) == lines{"reply 1: 1 from other", "complete 1: 1 of 1, whole", "sockets 2: from other",
                             "complete 2: 1 of 1, whole", "ack 3: 1 from other", "ack 3: 1 from other",
                             "complete 3: 2 of 2, whole"});
}

TEST_CASE("a count beyond all measure does not keep a request beyond its time", "[cluster]") {
    for (std::uint64_t const n : {std::uint64_t{1} << 53u, ~std::uint64_t{0}}) {
        asking c;
        c.receive(asking::count_of(c.acks_id, n));
        c.receive(asking::value_of(message_type::broadcast_ack, c.acks_id));
        CHECK(c.told(0) == lines{"ack 3: 1 from other"});
        c.pass(1s);
        CHECK(c.told(0).back() == "complete 3: 1 of " + std::to_string(n));
        CHECK(c.node(0).request_count() == 0);
    }
}

TEST_CASE("a node ignores its own messages", "[cluster]") {
    cluster_of c(1);
    c.connect(0);
    auto const own = message_of(
        message_type::server_side_emit,
        [](msgpack::writer& out) { out.key("packet").begin_array().string("x").end_array(); }, c.node(0).id());
    c.node(0).received(own, c.now());
    c.settle();
    CHECK(c.told(0) == lines{});
    CHECK(c.node(0).node_count() == 0);
}

TEST_CASE("an emitter is no node: nobody waits for it", "[cluster]") {
    cluster_of c(1);
    auto const client = c.connect(0);
    auto const bytes = message_of(
        message_type::broadcast,
        [](msgpack::writer& out) {
            out.key("packet").begin_object().member("type", 2).key("data").begin_array().string("x");
            out.end_array().end_object();
        },
        "emitter");
    c.node(0).received(bytes, c.now());
    c.settle();
    CHECK(c.got(client) == lines{R"(["x"])"});
    CHECK(c.node(0).node_count() == 0);
    CHECK(c.told(0) == lines{});
}

TEST_CASE("a message may name thousands of sockets and thousands of rooms", "[cluster]") {
    cluster_of c(1);
    auto& server = c.server(0);
    message m = message_in(message_type::broadcast);
    m.nsp = "/";
    m.text = R"(2["x"])";
    m.payload_begin = 1;
    constexpr std::uint64_t many = 2'000;
    std::string buffer;
    for (std::uint64_t channel = 1; channel <= many; ++channel) {
        server.websocket_opened(channel, "/socket.io/?EIO=4&transport=websocket", c.now());
        std::string join = "40";
        server.websocket_received(channel, {frame_kind::text, join}, c.now());
        while (auto const e = server.poll_event())
            if (e->type == socketio::event_type::connected) m.rooms.emplace_back(server.sid(e->socket));
        while (server.poll_transmit(buffer)) {
        }
        m.except.push_back("room" + std::to_string(channel));
    }
    REQUIRE(m.rooms.size() == many);
    REQUIRE(server.join(*server.find("/", m.rooms[0]), "room7"));
    auto const bytes = encoded(m);
    c.node(0).received(bytes, c.now()); // the square of their number would take very long
    std::uint64_t events = 0;
    while (auto const t = server.poll_transmit(buffer)) events += t->data.data == R"(42["x"])" ? 1U : 0U;
    CHECK(events == many - 1);
}

TEST_CASE("replays of a request for acknowledgements ask again, within the limit, and end by their time", "[cluster]") {
    cluster_of::settings s;
    s.node.max_requests = 5;
    cluster_of c(1, s);
    auto const client = c.connect(0);
    auto const bytes = message_of(message_type::broadcast, [](msgpack::writer& out) {
        out.key("packet").begin_object().member("type", 2).key("data").begin_array().string("x");
        out.end_array().end_object().member("requestId", "fedcba9876543210");
        out.key("opts").begin_object().key("flags").begin_object().member("timeout", 1000).end_object().end_object();
    });
    for (int i = 0; i != 100; ++i) {
        c.node(0).received(bytes, c.now());
        c.settle();
    }
    CHECK(c.got(client).size() == 5);
    CHECK(c.node(0).request_count() == 5);
    c.pass(1s);
    CHECK(c.node(0).request_count() == 0);
}

} // namespace cluster_message_codec_test
