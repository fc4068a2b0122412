// Parsers: applications see the same with each of them, on both sides, whatever happens to the connection.

#include "drivers/cbor_parser.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/hex.hpp"

#include <socketless/socketio/msgpack_parser.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_parser_test {

using namespace socketless;
using namespace std::chrono_literals;
using engineio::transport;
using socketio::event_type;
using socketio::socket_handle;

namespace {

support::cbor_parser const cbor;

struct named_parser {
    std::string_view name;
    socketio::parser const* parser;
};
constexpr named_parser all_parsers[] = {
    {"default", nullptr}, {"MessagePack", &socketio::msgpack_parser}, {"CBOR", &cbor}};

client_options over(std::vector<transport> transports, socketio::parser const* parser) {
    client_options options;
    options.transports = std::move(transports);
    options.parser = parser;
    return options;
}

server_options with(socketio::parser const* parser) {
    server_options options;
    options.sockets.parser = parser;
    return options;
}

// What an application gets, in words: ids and secrets differ between runs.
std::string show(socketio::event const& e) {
    std::string line = std::to_string(static_cast<int>(e.type)) + " " + std::string(e.nsp);
    if (e.type == event_type::event) line += " " + e.name().str();
    if (e.type == event_type::connecting || e.type == event_type::connect_error)
        line += " " + std::string(e.data.raw());
    if (e.type == event_type::connect_error) line += " " + std::string(e.message.raw());
    if (e.type == event_type::connected && e.recovered) line += " recovered";
    if (e.type == event_type::ack) line += " outcome " + std::to_string(static_cast<int>(e.outcome));
    if (e.type == event_type::acks_complete) line += " " + std::to_string(e.answers) + "/" + std::to_string(e.expected);
    if (e.type == event_type::disconnected || e.type == event_type::closed) line += " " + std::string(name(e.reason));
    for (auto const argument : e.args()) {
        line += " " + std::string(argument.json().raw());
        if (auto const bytes = argument.binary()) line += "=" + std::string(as_characters(*bytes));
    }
    for (byte_view const a : e.packet.attachments) line += " <" + std::to_string(a.size()) + ">";
    if (e.ack) line += " asks";
    return line;
}

struct told_world : support::stacks {
    told_world(client_options const& of_client, server_options const& of_server) : support::stacks(of_server) {
        add(of_client);
        on_client_event = [this](std::size_t, event& e) {
            told.push_back("client " + show(e));
            if (e.ack) CHECK(client(0).acknowledge(e.ack, "from the client", as_bytes("\x01\x02"), e.args().size()));
        };
        on_server_event = [this](event& e) {
            told.push_back("server " + show(e));
            if (e.type == event_type::connecting) {
                if (e.data.find("key"))
                    CHECK(server.accept(e.socket));
                else
                    CHECK(server.refuse(e.socket, "no key", json::object("code", 7, "why", "é")));
            }
            if (e.type == event_type::connected) last = e.socket;
            if (e.ack) CHECK(server.acknowledge(e.ack, socketio::spread(e.args())));
        };
    }

    std::vector<std::string> told;
    socket_handle last;
};

std::vector<std::string> story(std::vector<transport> const& transports, socketio::parser const* parser,
                               bool recovery) {
    auto of_server = with(parser);
    if (recovery) of_server.recovery.emplace();
    auto of_client = over(transports, parser);
    of_client.retries = recovery ? 0 : 1;
    of_client.ack_timeout = 500ms;
    told_world w(of_client, of_server);
    w.server.declare("/admin", admission::ask);
    auto& c = w.client(0);
    auto const main = *c.connect();
    std::string const bytes(300, '\xfe');
    CHECK(c.emit(main, "early", as_bytes(bytes), json::object("_placeholder", false, "n", 1)));
    w.settle();
    auto const admin = *c.connect("/admin", json::object("key", 1, "big", std::uint64_t{1} << 60));
    auto const refused = *c.connect("/admin2");
    w.settle();
    c.disconnect(refused);
    CHECK(c.emit_with_ack(admin, 5s, "all kinds", nullptr, true, -1, 1.5, std::vector{1, 2}, "ü\x1e\n",
                          json::object("a", as_bytes("in"), "b", json::object("c", as_bytes("deep")))));
    w.settle();
    CHECK(w.server.emit(w.last, "to one", std::vector<std::string>(20, "x"), std::string(70'000, 'y')));
    CHECK(w.server.emit_with_ack(w.last, 5s, "asked", std::vector<double>(17, 0.5)));
    w.settle();
    CHECK(w.server.in("/").emit("to all", as_bytes("shared"), std::int64_t{-5'000'000'000}));
    CHECK(w.server.in("/").emit_volatile("volatile", "bob"));
    CHECK(w.server.in("/").emit_with_ack(5s, "who is there"));
    w.settle();
    c.disconnect(admin);
    w.settle();
    CHECK(c.connect("/admin"));
    w.settle();

    w.cut(0);
    CHECK(c.emit(main, "while away", 1));
    CHECK(w.server.in("/").emit("missed", as_bytes("kept"), 2));
    w.pass(300ms);
    w.mend(0);
    w.pass(10s);
    CHECK(w.server.in("/").emit("after", 3));
    w.pass(1s);
    w.server.disconnect(w.last);
    w.settle();
    w.server.close();
    w.pass(1s);
    return w.told;
}

std::vector<std::string> without_offsets(std::vector<std::string> lines) {
    for (auto& line : lines) { // an offset is the last argument: 24 characters in quotes
        constexpr std::size_t size = socketio::recovery_offset::size + 2;
        if (line.size() > size && line.back() == '"' && line[line.size() - size] == '"')
            line.resize(line.size() - size);
    }
    return lines;
}

} // namespace

TEST_CASE("applications on both sides see the same whatever the parser", "[parser]") {
    std::vector<transport> const choices[] = {
        {transport::websocket}, {transport::polling}, {transport::polling, transport::websocket}};
    for (auto const& transports : choices) {
        for (bool const recovery : {false, true}) {
            auto const expected = without_offsets(story(transports, nullptr, recovery));
            CHECK(expected.size() > 30);
            for (auto const& [name, parser] : all_parsers) {
                INFO(name << ", " << transports.size() << " transports, recovery " << recovery);
                CHECK(without_offsets(story(transports, parser, recovery)) == expected);
            }
        }
    }
}

TEST_CASE("a packet of a parser is one message, whatever is in it", "[parser]") {
    for (auto const& [name, parser] : all_parsers) {
        if (parser == nullptr) continue;
        told_world w(over({transport::websocket}, parser), with(parser));
        auto const socket = *w.client(0).connect();
        w.settle();
        std::size_t frames = 0;
        w.on_wire = [&](std::size_t, bool, std::string_view) { ++frames; };
        std::vector<std::string> const many(50, "bytes");
        std::vector<byte_view> attachments;
        for (auto const& a : many) attachments.push_back(as_bytes(a));
        CHECK(w.client(0).emit(socket, "many", attachments)); // more than max_attachments
        w.settle();
        CHECK(frames == 1);
        CHECK(w.told.back().ends_with("<5> <5>"));
        CHECK(w.server.in("/").emit("many", attachments));
        w.settle();
        CHECK(w.server.in("/").emit_volatile("many", attachments));
        w.settle();
        CHECK(frames == 3);
        CHECK(w.told.back().ends_with("<5> <5>"));
    }
}

TEST_CASE("numbers that JSON has not are null for whoever gets them, with every parser", "[parser]") {
    for (auto const& [name, parser] : all_parsers) {
        INFO(name);
        told_world w(over({transport::websocket}, parser), with(parser));
        auto const socket = *w.client(0).connect();
        w.settle();
        CHECK(w.client(0).emit(socket, "odd", std::nan(""), std::numeric_limits<double>::infinity(), -0.0));
        w.settle();
        CHECK(w.told.back() == "server " + std::to_string(static_cast<int>(event_type::event)) + " / odd null null 0");
    }
}

TEST_CASE("limits of size and depth hold with every parser, and nothing ends", "[parser]") {
    for (auto const& [name, parser] : all_parsers) {
        INFO(name);
        auto of_client = over({transport::websocket}, parser);
        of_client.limits.max_depth = 5;
        of_client.max_queued = 10'000;
        told_world w(of_client, with(parser));
        auto const socket = *w.client(0).connect();
        w.settle();
        auto const nest = json::object("a", json::object("b", json::object("c", json::object("d", json::object()))));
        CHECK(w.client(0).emit(socket, "deep", nest).error().code == errc::depth_exceeded);
        CHECK(w.client(0).emit(socket, "large", std::string(20'000, 'x')).error().code == errc::message_too_large);
        CHECK(w.client(0).emit(socket, "bad", "\xff").error().code == errc::invalid_utf8);
        CHECK(w.client(0).emit(socket, "good"));
        w.settle();
        CHECK(w.told.back().ends_with("/ good"));
    }
}

TEST_CASE("data that looks like a placeholder is refused beside binary data by every call, with every parser",
          "[parser]") {
    auto const like_one = json::text::trusted(R"({"_placeholder":true,"num":0})");
    auto const bytes = as_bytes("x");
    for (auto const& [name, parser] : all_parsers) {
        INFO(name);
        told_world w(over({transport::websocket}, parser), with(parser));
        auto const socket = *w.client(0).connect();
        CHECK(w.client(0).emit(socket, "early", like_one, bytes).error().code == errc::invalid_placeholder);
        w.settle();
        CHECK(w.client(0).emit(socket, "x", like_one, bytes).error().code == errc::invalid_placeholder);
        CHECK(w.server.emit(w.last, "x", like_one, bytes).error().code == errc::invalid_placeholder);
        CHECK(w.server.in("/").emit("x", like_one, bytes).error().code == errc::invalid_placeholder);
        CHECK(w.client(0).emit(socket, "alone", like_one));
        w.settle();
        CHECK(w.told.back().ends_with("alone " + std::string(like_one.raw())));
    }
}

namespace {

class choosy_parser final : public socketio::parser {
public:
    [[nodiscard]] result<frame_kind> encode(socketio::outgoing_packet const& packet, std::string& message,
                                            limits const& bounds) const override {
        auto const kind = socketio::msgpack_parser.encode(packet, message, bounds);
        if (kind && message.size() > 200) return error{errc::out_of_range};
        return kind;
    }
    [[nodiscard]] result<void> decode(frame message, socketio::incoming_packet& packet,
                                      limits const& bounds) const override {
        return socketio::msgpack_parser.decode(message, packet, bounds);
    }
};

} // namespace

TEST_CASE("what a parser does not encode is an error of the call, also where the packet would wait", "[parser]") {
    choosy_parser const choosy;
    for (bool const recovery : {false, true}) {
        auto of_server = with(&choosy);
        if (recovery) of_server.recovery.emplace();
        of_server.sockets.connect_timeout = 1h;
        told_world w(over({transport::websocket}, &choosy), of_server);
        std::string const large(300, 'x');
        auto const socket = *w.client(0).connect();
        CHECK(w.client(0).emit(socket, "early", large).error().code == errc::out_of_range);
        CHECK(w.client(0).emit(socket, "early"));
        w.settle();
        CHECK(w.told.back() == "server " + std::to_string(static_cast<int>(event_type::event)) + " / early");
        CHECK(w.client(0).emit(socket, "x", large).error().code == errc::out_of_range);
        CHECK(w.server.emit(w.last, "x", large).error().code == errc::out_of_range);
        CHECK(w.server.in("/").emit("x", large).error().code == errc::out_of_range);
        CHECK(w.server.emit(w.last, "good"));
        w.settle();
        CHECK(w.client(0).is_connected(socket));
    }
}

namespace {

// Sends CBOR as text, in hexadecimal; behind some packets stands what no text may have.
class hex_parser final : public socketio::parser {
public:
    [[nodiscard]] result<frame_kind> encode(socketio::outgoing_packet const& packet, std::string& message,
                                            limits const& bounds) const override {
        std::string bytes;
        if (auto const kind = cbor.encode(packet, bytes, bounds); !kind) return kind;
        message = support::to_hex(bytes);
        if (bytes.find("separator") != std::string::npos) message += '\x1e';
        if (bytes.find("no text") != std::string::npos) message += '\xff';
        return frame_kind::text;
    }
    [[nodiscard]] result<void> decode(frame message, socketio::incoming_packet& packet,
                                      limits const& bounds) const override {
        packet.buffer = support::from_hex(message.data).value();
        return cbor.decode({frame_kind::binary, packet.buffer}, packet, bounds);
    }
};

} // namespace

TEST_CASE("text of a parser that a transport could not carry is an error of the call", "[parser]") {
    hex_parser const hex;
    for (auto const used : {transport::polling, transport::websocket}) {
        told_world w(over({used}, &hex), with(&hex));
        auto const socket = *w.client(0).connect();
        auto const fails = [&](errc code, std::string_view text) {
            auto const told = w.told.size();
            CHECK(w.client(0).emit(socket, "x", text).error().code == code);
            CHECK(w.client(0).emit_with_ack(socket, 1h, "x", text).error().code == code);
            if (!w.client(0).is_connected(socket)) return;
            CHECK(w.client(0).emit_volatile(socket, "x", text).error().code == code);
            CHECK(w.server.emit(w.last, "x", text).error().code == code);
            CHECK(w.server.emit_volatile(w.last, "x", text).error().code == code);
            CHECK(w.server.emit_with_ack(w.last, 1h, "x", text).error().code == code);
            CHECK(w.server.in("/").emit("x", text).error().code == code);
            CHECK(w.server.in("/").emit_with_ack(1h, "x", text).error().code == code);
            w.settle();
            CHECK(w.told.size() == told);
        };
        for (int times = 0; times != 2; ++times) { // before it is connected, and afterwards
            fails(errc::separator_in_text, "separator");
            fails(errc::invalid_utf8, "no text");
            w.settle();
        }
        CHECK(w.client(0).is_connected(socket));
        CHECK(w.client(0).emit(socket, "good"));
        w.settle();
        CHECK(w.told.back().ends_with("/ good"));
    }
}

TEST_CASE("what is kept counts as it goes out: an accepted event is not too large later", "[parser]") {
    std::vector<double> const numbers(300, 0.5); // 4 bytes each in JSON, 9 in MessagePack, 2 or more in CBOR
    for (auto const& [name, parser] : all_parsers) {
        for (std::size_t const max_queued : {std::size_t{1'500}, std::size_t{4'000}, std::size_t{8'000}}) {
            INFO(name << ", " << max_queued);
            auto of_client = over({transport::websocket}, parser);
            of_client.max_queued = max_queued;
            auto of_server = with(parser);
            of_server.engine.max_queued = max_queued;
            told_world w(of_client, of_server);
            w.server.declare("/admin", admission::ask);
            std::map<std::string, int> sent{{"client", 0}, {"server", 0}};
            auto received = sent;
            auto const fill = [&sent](std::string const& who, auto emit) {
                result<void> done;
                for (done = emit(); done; done = emit()) ++sent[who];
                bool const is_alone = sent[who] == 0 && done.error().code == errc::message_too_large;
                CHECK((is_alone || done.error().code == errc::buffer_full));
            };
            w.on_server_event = [&](socketio::event& e) {
                if (e.type == event_type::event) ++received["client"];
                if (e.type != event_type::connecting) return;
                fill("server", [&] { return w.server.emit(e.socket, "numbers", numbers); });
                CHECK(w.server.accept(e.socket));
            };
            w.on_client_event = [&](std::size_t, socketio::event& e) {
                if (e.type == event_type::event) ++received["server"];
                CHECK(e.type != event_type::closed);
            };
            auto const socket = *w.client(0).connect("/admin");
            fill("client", [&] { return w.client(0).emit(socket, "numbers", numbers); });
            w.settle();
            CHECK(w.client(0).is_connected(socket));
            CHECK(received == sent);
        }
    }
}

TEST_CASE("what a parser refuses closes the connection, as does a message of another parser", "[parser]") {
    for (auto const& [mine, own] : all_parsers) {
        for (auto const& [other, peers] : all_parsers) {
            if (own == peers) continue;
            INFO(mine << " and " << other);
            auto of_client = over({transport::websocket}, peers);
            of_client.reconnection = false;
            told_world w(of_client, with(own));
            CHECK(w.client(0).connect());
            w.pass(60s);
            CHECK(w.server.socket_count() == 0);
            CHECK(w.server.connection_count() == 0);
            CHECK(w.told.back().starts_with("client " + std::to_string(static_cast<int>(event_type::closed))));
        }
    }
}

} // namespace stack_parser_test
