// Servers that act as one over a bus of the caller's own: what applications of them can do, and what they are told.

#include "drivers/cluster.hpp"
#include "tools/catch.hpp"

#include <socketless/cluster/message_node.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/msgpack_parser.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster_message_node_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_literals;
using support::cluster_of;
using support::lines;

namespace {

constexpr std::byte one_two[] = {std::byte{1}, std::byte{2}};

// Three servers, on which three clients are: 0 on server 0, in the rooms "a" and "b"; 1 on server 1, in "a"; 2 on
// server 2, in "b".
struct trio : cluster_of {
    explicit trio(settings const& s = {}) : cluster_of(3, s) {
        connect(0, {"a", "b"});
        connect(1, {"a"});
        connect(2, {"b"});
    }

    // What each client has got.
    std::vector<lines> all_got() {
        std::vector<lines> all;
        for (std::size_t c = 0; c != clients.size(); ++c) all.push_back(got(c));
        return all;
    }
    // What they get when this is done.
    template <class F>
    std::vector<lines> after(F f) {
        f();
        settle();
        return all_got();
    }

    // Clients answer with `<number>` + `suffix`, but for those named here.
    void answer(std::vector<std::size_t> const& silent = {}) {
        on_client_event = [this, silent](std::size_t c, socketio::event& e) {
            if (!e.ack || std::ranges::find(silent, c) != silent.end()) return;
            auto& m = *members[clients[c].server];
            CHECK(m.world.client(clients[c].number).acknowledge(e.ack, "answer of " + std::to_string(c)));
        };
    }
};

using heard = std::vector<lines>;
lines const news{R"(["news",1])"};
lines const nothing{};

std::string at(std::uint64_t id) {
    return " " + std::to_string(id);
}

cluster_of::settings with_recovery() {
    cluster_of::settings s;
    s.server.recovery.emplace();
    return s;
}

} // namespace

//=== broadcasts ===//

TEST_CASE("a broadcast reaches the sockets of all servers, each once", "[cluster]") {
    trio c;
    CHECK(c.after([&] { CHECK(c.node(0).in("/").emit("news", 1)); }) == heard{news, news, news});
    CHECK(c.after([&] { CHECK(c.node(2).in("/").emit("news", 1)); }) == heard{news, news, news});
    CHECK(c.after([&] { CHECK(c.node(1).in("/").send("hi")); })[0] == lines{R"(["message","hi"])"});
}

TEST_CASE("a broadcast to rooms reaches the sockets in any of them, once each", "[cluster]") {
    trio c;
    CHECK(c.after([&] { CHECK(c.node(2).to("a").emit("news", 1)); }) == heard{news, news, nothing});
    CHECK(c.after([&] { CHECK(c.node(1).to("a").to("b").emit("news", 1)); }) == heard{news, news, news});
    CHECK(c.after([&] { CHECK(c.node(1).to("c").emit("news", 1)); }) == heard{nothing, nothing, nothing});
}

TEST_CASE("except leaves out the sockets of rooms, on whatever server they are", "[cluster]") {
    trio c;
    CHECK(c.after([&] { CHECK(c.node(2).in("/").except("a").emit("news", 1)); }) == heard{nothing, nothing, news});
    CHECK(c.after([&] { CHECK(c.node(2).to("a").except("b").emit("news", 1)); }) == heard{nothing, news, nothing});
}

TEST_CASE("except leaves out a socket of this server by its handle", "[cluster]") {
    trio c;
    auto const sender = c.clients[1].socket;
    CHECK(c.after([&] { CHECK(c.node(1).in("/").except(sender).emit("news", 1)); }) == heard{news, nothing, news});
}

TEST_CASE("the id of a socket is a room that it is in, on whatever server it is", "[cluster]") {
    trio c;
    auto const sid = c.clients[1].sid;
    CHECK(c.after([&] { CHECK(c.node(0).to(sid).emit("news", 1)); }) == heard{nothing, news, nothing});
    CHECK(c.after([&] { CHECK(c.node(0).in("/").except(sid).emit("news", 1)); }) == heard{news, nothing, news});
    CHECK(c.after([&] { CHECK(c.node(0).to(sid).to("a").emit("news", 1)); }) == heard{news, news, nothing});
}

TEST_CASE("rooms and their names are those of a namespace", "[cluster]") {
    trio c;
    for (std::size_t n = 0; n != 3; ++n) c.server(n).declare("/chat");
    auto const there = c.connect(2, {"a"}, "/chat");
    CHECK(c.after([&] { CHECK(c.node(0).in("/chat").emit("news", 1)); }) == heard{nothing, nothing, nothing, news});
    CHECK(c.after([&] { CHECK(c.node(0).to("a").emit("news", 1)); })[there] == nothing);
    CHECK(c.after([&] { CHECK(c.node(0).in("/chat").to("a").emit("news", 1)); })[there] == news);
}

TEST_CASE("binary values at any depth reach all", "[cluster]") {
    trio c;
    lines const binary{R"(["b",{"_placeholder":true,"num":0},{"x":[{"_placeholder":true,"num":1}]}] <0102> <>)"};
    CHECK(c.after([&] {
        CHECK(c.node(0).in("/").emit("b", byte_view(one_two), json::object("x", std::vector{byte_view()})));
    }) == heard{binary, binary, binary});
}

TEST_CASE("values of all kinds come as they were sent", "[cluster]") {
    trio c;
    lines const kinds{R"(["k",null,true,-1,1.5,"é\n",[1,2],{"a":{"b":[]}},9007199254740993])"};
    CHECK(c.after([&] {
        CHECK(c.node(0).in("/").emit("k", nullptr, true, -1, 1.5, "é\n", std::vector{1, 2},
                                     json::object("a", json::object("b", std::vector<int>())),
                                     std::int64_t{9007199254740993}));
    }) == heard{kinds, kinds, kinds});
}

TEST_CASE("what is volatile is dropped for a socket that cannot take it at once", "[cluster]") {
    trio c;
    CHECK(c.after([&] { CHECK(c.node(0).in("/").emit_volatile("news", 1)); }) == heard{news, news, news});
    // The connection of client 1 is lost, and its server does not know: it waits for the next request.
    c.members[1]->world.cut(0);
    CHECK(c.node(0).in("/").emit_volatile("news", 1));
    c.settle();
    CHECK(c.all_got() == heard{news, lines{"disconnected: transport close"}, news});
}

TEST_CASE("the order of each sender is kept", "[cluster]") {
    trio c;
    for (int i = 0; i != 5; ++i) CHECK(c.node(static_cast<std::size_t>(i % 2)).in("/").emit("n", i));
    c.settle();
    lines const got = c.got(2);
    CHECK(got.size() == 5);
    auto const place = [&](int i) { return std::ranges::find(got, "[\"n\"," + std::to_string(i) + "]") - got.begin(); };
    CHECK(place(0) < place(2));
    CHECK(place(2) < place(4));
    CHECK(place(1) < place(3));
}

TEST_CASE("what no client could take is sent to nobody", "[cluster]") {
    trio c;
    c.published = 0;
    CHECK(c.after([&] {
        auto const io = c.node(0).in("/");
        CHECK(io.emit("\xff") == error{errc::invalid_utf8, 0});
        CHECK(io.emit("disconnect").error().code == errc::reserved_event_name);
        CHECK(io.emit("large", std::string(std::size_t{17} << 20u, 'x')).error().code == errc::message_too_large);
        CHECK(io.emit_with_ack(1s, "connect").error().code == errc::reserved_event_name);
        CHECK(io.join("\xff").error().code == errc::invalid_utf8);
        CHECK(c.node(0).to("\xff").leave("a").error().code == errc::invalid_utf8);
        CHECK(c.node(0).to("\xff").disconnect().error().code == errc::invalid_utf8);
        CHECK(c.node(0).to("\xff").fetch_sockets().error().code == errc::invalid_utf8);
        CHECK(c.node(0).server_side_emit("/", "\xff").error().code == errc::invalid_utf8);
        CHECK(c.node(0).server_side_emit_with_ack("/", 1s, "\xff").error().code == errc::invalid_utf8);
    }) == heard{nothing, nothing, nothing});
    CHECK(c.published == 0);
    CHECK(c.node(0).request_count() == 0);
    CHECK(c.told(0) == nothing);
}

TEST_CASE("clients of revision 4 and clients that use MessagePack are reached as others are", "[cluster]") {
    cluster_of::settings s;
    s.server.engine.allow_v3 = true;
    trio c(s);
    cluster_of::settings packed;
    packed.server.sockets.parser = &socketio::msgpack_parser;
    auto const other = c.add_server(packed);
    c.settle();
    client_options old;
    old.revision = engineio::revision::v3;
    auto const v4 = c.connect(1, {}, "/", old);
    client_options of_packed;
    of_packed.parser = &socketio::msgpack_parser;
    auto const p = c.connect(other, {}, "/", of_packed);
    c.answer();
    for (std::size_t const from : {std::size_t{0}, other}) {
        CHECK(c.node(from).in("/").emit("b", 1.5, byte_view(one_two)));
        c.settle();
        lines const binary{R"(["b",1.5,{"_placeholder":true,"num":0}] <0102>)"};
        CHECK(c.got(v4) == binary);
        CHECK(c.got(p) == binary);
        auto const id = c.node(from).to(c.clients[v4].sid).to(c.clients[p].sid).emit_with_ack(1s, "q");
        REQUIRE(id);
        c.settle();
        auto told = c.told(from);
        CHECK(told.back() == "complete" + at(*id) + ": 2 of 2, whole");
        CHECK(told.size() >= 3);
        CHECK(c.got(v4) == lines{R"(["q"])"});
        CHECK(c.got(p) == lines{R"(["q"])"});
    }
}

TEST_CASE("a broadcast while no other node is there encodes nothing for the bus", "[cluster]") {
    cluster_of c(1);
    auto const client = c.connect(0, {"a"});
    c.pass(11s); // whoever is there has been heard by then
    c.published = 0;
    auto const sent = c.node(0).counts().sent;
    CHECK(c.node(0).in("/").emit_volatile("news", 1));
    CHECK(c.node(0).to("a").emit("news", 1));
    CHECK(c.node(0).to("a").join("b"));
    CHECK(c.node(0).server_side_emit("/", "x"));
    CHECK(c.node(0).counts().sent == sent);
    c.settle();
    CHECK(c.published == 0);
    CHECK(c.got(client) == lines{news[0], news[0]});
}

//=== acknowledgements ===//

TEST_CASE("the clients of all servers acknowledge, and the last answer completes the request", "[cluster]") {
    trio c;
    c.answer();
    auto const id = c.node(0).in("/").emit_with_ack(1s, "q", 1);
    REQUIRE(id);
    c.settle();
    auto told = c.told(0);
    REQUIRE(told.size() == 4);
    CHECK(told[3] == "complete" + at(*id) + ": 3 of 3, whole");
    std::ranges::sort(told);
    CHECK(told[0] == "ack" + at(*id) + R"(: "answer of 0" from 0)");
    CHECK(told[1] == "ack" + at(*id) + R"(: "answer of 1" from 1)");
    CHECK(told[2] == "ack" + at(*id) + R"(: "answer of 2" from 2)");
    CHECK(c.node(0).request_count() == 0);
    CHECK(c.node(1).request_count() == 0);
    CHECK(c.told(1) == nothing);
}

TEST_CASE("an answer may be any value, binary too, or none", "[cluster]") {
    trio c;
    c.on_client_event = [&](std::size_t n, socketio::event& e) {
        if (!e.ack) return;
        auto& client = c.members[c.clients[n].server]->world.client(c.clients[n].number);
        if (n == 0) CHECK(client.acknowledge(e.ack));
        if (n == 1) CHECK(client.acknowledge(e.ack, json::object("b", byte_view(one_two)), "not the first"));
        if (n == 2) CHECK(client.acknowledge(e.ack));
    };
    auto const id = c.node(0).in("/").emit_with_ack(1s, "q");
    REQUIRE(id);
    c.settle();
    auto told = c.told(0);
    std::ranges::sort(told);
    CHECK(told == lines{"ack" + at(*id) + ":  from 0", "ack" + at(*id) + ":  from 2",
                        "ack" + at(*id) + R"(: {"b":{"_placeholder":true,"num":0}} <0102> from 1)",
                        "complete" + at(*id) + ": 3 of 3, whole"});
}

TEST_CASE("clients of another server have all the time to answer, however long nothing came for that server") {
    trio c;
    c.answer();
    for (auto& m : c.members) m->world.now += 9s;
    for (std::size_t n = 0; n != 3; ++n) c.node(n).handle_timeout(c.now());
    c.settle();
    auto const id = at(c.node(0).to("b").except("a").emit_with_ack(5s, "ask").value());
    while (auto const t = c.node(0).poll_transmit()) c.node(2).received(std::string(t->bytes), c.now());
    c.server(2).handle_timeout(c.now()); // before the answer comes
    c.settle();
    CHECK(c.told(0).front() == "ack" + id + R"(: "answer of 2" from 2)");
}

TEST_CASE("a client that never answers is waited for until the time has run out", "[cluster]") {
    for (std::size_t const silent : {0U, 1U}) {
        trio c;
        c.answer({silent});
        auto const id = c.node(0).in("/").emit_with_ack(1s, "q");
        REQUIRE(id);
        c.pass(999ms);
        CHECK(c.told(0).size() == 2);
        CHECK(c.node(silent).request_count() == 1);
        c.pass(1ms);
        auto const told = c.told(0);
        REQUIRE(told.size() == 1);
        CHECK(told[0].starts_with("complete" + at(*id) + ": 2 of 3"));
        CHECK(c.node(0).request_count() == 0);
        c.pass(1s);
        for (std::size_t n = 0; n != 3; ++n) CHECK(c.node(n).request_count() == 0);
        CHECK(c.told(0) == nothing);
    }
}

TEST_CASE("a request that names no time waits for request_timeout, and none longer than max_timeout", "[cluster]") {
    cluster_of::settings s;
    s.node.request_timeout = 300ms;
    s.node.max_timeout = 2s;
    trio c(s);
    CHECK(c.node(0).in("/").emit_with_ack(std::nullopt, "q"));
    CHECK(c.node(1).in("/").emit_with_ack(std::chrono::hours(24 * 365 * 100), "q"));
    CHECK(c.node(2).in("/").emit_with_ack(-1s, "q"));
    c.pass(299ms);
    CHECK(c.told(0) == nothing);
    CHECK(c.told(2).size() == 1); // at once
    c.pass(1ms);
    CHECK(c.told(0).size() == 1);
    c.pass(1699ms);
    CHECK(c.told(1) == nothing);
    c.pass(1ms);
    CHECK(c.told(1).size() == 1);
}

TEST_CASE("if nobody is asked, nobody answers, and the request is complete", "[cluster]") {
    trio c;
    auto const id = c.node(0).to("empty").emit_with_ack(1s, "q");
    REQUIRE(id);
    c.settle();
    CHECK(c.told(0) == lines{"complete" + at(*id) + ": 0 of 0, whole"});
    auto const nowhere = c.node(0).in("/unknown").emit_with_ack(1s, "q");
    REQUIRE(nowhere);
    c.settle();
    CHECK(c.told(0) == lines{"complete" + at(*nowhere) + ": 0 of 0, whole"});
}

TEST_CASE("a client that is gone before it has answered does not answer", "[cluster]") {
    trio c;
    c.answer({0, 1});
    auto const id = c.node(0).to("a").emit_with_ack(1s, "q");
    REQUIRE(id);
    c.settle();
    c.server(0).disconnect(c.clients[0].socket);
    c.server(1).disconnect(c.clients[1].socket);
    c.pass(1s);
    auto const told = c.told(0);
    REQUIRE(told.size() == 1);
    CHECK(told[0].starts_with("complete" + at(*id) + ": 0 of 2"));
    CHECK(c.node(1).request_count() == 0);
}

TEST_CASE("an application's own acknowledgements are none of the node's", "[cluster]") {
    trio c;
    c.answer();
    auto& world = c.members[0]->world;
    lines seen;
    auto const inner = world.on_server_event;
    world.on_server_event = [&](socketio::event& e) {
        if (!c.node(0).handle(e)) seen.push_back(support::show(e));
    };
    auto const one = world.server.emit_with_ack(c.clients[0].socket, 1s, "q");
    auto const many = world.server.in("/").emit_with_ack(1s, "q");
    auto const all = c.node(0).in("/").emit_with_ack(1s, "q");
    REQUIRE(one);
    REQUIRE(many);
    REQUIRE(all);
    c.settle();
    CHECK(seen == lines{"ack" + at(*one) + R"( answered ["answer of 0"])",
                        "ack" + at(*many) + R"( answered ["answer of 0"])", "acks_complete" + at(*many) + ": 1 of 1"});
    CHECK(c.told(0).back() == "complete" + at(*all) + ": 3 of 3, whole");
}

//=== sockets from afar ===//

TEST_CASE("sockets are put into rooms and taken out of them from afar", "[cluster]") {
    trio c;
    CHECK(c.node(0).to("a").join("new"));
    c.settle();
    CHECK(c.server(0).is_in(c.clients[0].socket, "new"));
    CHECK(c.server(1).is_in(c.clients[1].socket, "new"));
    CHECK_FALSE(c.server(2).is_in(c.clients[2].socket, "new"));
    CHECK(c.node(2).to("new").except(c.clients[0].sid).leave("a"));
    c.settle();
    CHECK(c.server(0).is_in(c.clients[0].socket, "a"));
    CHECK_FALSE(c.server(1).is_in(c.clients[1].socket, "a"));
}

TEST_CASE("sockets are disconnected from afar", "[cluster]") {
    trio c;
    lines const gone{"disconnected: io server disconnect"};
    CHECK(c.after([&] { CHECK(c.node(0).to(c.clients[1].sid).disconnect()); }) == heard{nothing, gone, nothing});
    CHECK(c.after([&] { CHECK(c.node(0).in("/").disconnect()); }) == heard{gone, nothing, gone});
}

TEST_CASE("connections are closed from afar, with all their sockets", "[cluster]") {
    trio c;
    for (std::size_t n = 0; n != 3; ++n) c.server(n).declare("/chat");
    auto const own = c.members[1]->world.client(0).connect("/chat");
    REQUIRE(own);
    c.settle();
    CHECK(c.after([&] { CHECK(c.node(0).to(c.clients[1].sid).disconnect_connections()); })[1].size() == 2);
    CHECK_FALSE(c.server(1).is_connected(c.clients[1].socket));
}

TEST_CASE("fetch_sockets brings the sockets of all servers, this node's first", "[cluster]") {
    trio c;
    auto const id = c.node(1).to("a").fetch_sockets();
    REQUIRE(id);
    c.settle();
    CHECK(c.told(1) == lines{"sockets" + at(*id) + ": c1 from 1", "sockets" + at(*id) + ": c0 from 0",
                             "sockets" + at(*id) + ": from 2", "complete" + at(*id) + ": 2 of 2, whole"});
    CHECK(c.node(1).request_count() == 0);
}

TEST_CASE("a remote socket has an id, its rooms, the application's data and the handshake", "[cluster]") {
    cluster_of::settings s;
    s.node.write_data = [](socketio::socket_handle, json::writer& out) {
        out.begin_object().member("name", "Ann").member("key", byte_view(one_two)).end_object();
    };
    trio c(s);
    int seen = 0;
    c.members[1]->on_event = [&](cluster::event& e) {
        if (e.type != cluster::event_type::sockets) return;
        for (auto const socket : e.sockets) {
            ++seen;
            CHECK(socket.sid() == c.clients[0].sid);
            auto rooms = socket.rooms().get<std::vector<std::string>>();
            REQUIRE(rooms);
            std::ranges::sort(*rooms);
            lines expected{c.clients[0].sid, "a", "b"};
            std::ranges::sort(expected);
            CHECK(*rooms == expected);
            auto const data = socket.data();
            CHECK(data.json().find("name")->get<std::string>() == "Ann");
            auto const key = data.part(*data.json().find("key")).binary();
            REQUIRE(key);
            CHECK(as_characters(*key) == "\x01\x02");
            auto const handshake = socket.handshake().json();
            CHECK(handshake.find("query")->find("EIO")->get<std::string>() == "4");
            CHECK(handshake.find("url")->get<std::string>()->starts_with("/socket.io/?"));
            CHECK(handshake.find("headers")->is(json::kind::object));
        }
    };
    CHECK(c.node(1).to(c.clients[0].sid).fetch_sockets());
    c.settle();
    CHECK(seen == 1);
}

TEST_CASE("an answer that handshakes would make too long goes out without them", "[cluster]") {
    cluster_of::settings s;
    s.node.max_message = 1000;
    s.node.write_handshake = [](socketio::socket_handle, json::writer& out) { out.string(std::string(2000, 'x')); };
    trio c(s);
    auto const id = c.node(0).in("/").fetch_sockets(1s);
    REQUIRE(id);
    c.settle();
    CHECK(c.told(0).back() == "complete" + at(*id) + ": 2 of 2, whole");

    cluster_of::settings larger = s; // where data is too long, too
    larger.node.write_data = [](socketio::socket_handle, json::writer& out) { out.string(std::string(2000, 'x')); };
    trio d(larger);
    auto const other = d.node(0).in("/").fetch_sockets(1s);
    REQUIRE(other);
    d.pass(1s);
    CHECK(d.told(0).back() == "complete" + at(*other) + ": 0 of 2");
}

TEST_CASE("what the application writes of a socket is checked before it goes out", "[cluster]") {
    cluster_of::settings s;
    s.node.write_data = [](socketio::socket_handle, json::writer& out) { out.string("\xff"); };
    trio c(s);
    CHECK(c.node(0).in("/").fetch_sockets(1s).error().code == errc::invalid_utf8);
    CHECK(c.node(0).request_count() == 0);
    c.pass(1s);
    CHECK(c.told(0) == nothing);
}

TEST_CASE("a room whose name is no text is not told to others, and does not keep the rest from them", "[cluster]") {
    trio c;
    REQUIRE(c.server(1).join(c.clients[1].socket, "\xff"));
    for (std::size_t const n : {0U, 1U}) {
        auto const id = c.node(n).to("a").fetch_sockets();
        REQUIRE(id);
        c.settle();
        CHECK(c.told(n).back() == "complete" + at(*id) + ": 2 of 2, whole");
    }
}

//=== the applications of other nodes ===//

TEST_CASE("server_side_emit reaches the applications of all other nodes, and no client", "[cluster]") {
    trio c;
    CHECK(c.node(0).server_side_emit("/", "hello", 1, byte_view(one_two)));
    c.settle();
    lines const event{R"(event / ["hello",1,{"_placeholder":true,"num":0}] <0102> from 0)"};
    CHECK(c.told(0) == nothing);
    CHECK(c.told(1) == event);
    CHECK(c.told(2) == event);
    CHECK(c.all_got() == heard{nothing, nothing, nothing});
}

TEST_CASE("other nodes reply, once each", "[cluster]") {
    trio c;
    auto const id = c.node(0).server_side_emit_with_ack("/chat", 1s, "how many");
    REQUIRE(id);
    c.settle();
    CHECK(c.told(1) == lines{R"(event /chat ["how many"] from 0?)"});
    CHECK(c.told(0) == nothing);
    auto& asked = c.members[1]->asked.at(0);
    CHECK(asked.node() == c.node(0).id());
    CHECK(asked.nsp() == "/chat");
    CHECK(c.node(1).reply(asked, "\xff").error().code == errc::invalid_utf8);
    CHECK(c.node(1).reply(asked, json::object("n", 1)));
    CHECK_FALSE(asked);
    CHECK(c.node(1).reply(asked, 2).error().code == errc::already_acknowledged);
    c.settle();
    CHECK(c.told(0) == lines{"reply" + at(*id) + R"(: {"n":1} from 1)"});
    CHECK(c.node(2).reply(c.members[2]->asked.at(0), byte_view(one_two)));
    c.settle();
    CHECK(c.told(0) == lines{"reply" + at(*id) + R"(: {"_placeholder":true,"num":0} <0102> from 2)",
                             "complete" + at(*id) + ": 2 of 2, whole"});
}

TEST_CASE("a node that does not reply in time is not waited for, and a late reply is ignored", "[cluster]") {
    trio c;
    auto const id = c.node(0).server_side_emit_with_ack("/", 1s, "q");
    REQUIRE(id);
    c.settle();
    CHECK(c.node(1).reply(c.members[1]->asked.at(0), 1));
    c.pass(1s);
    CHECK(c.told(0) == lines{"reply" + at(*id) + ": 1 from 1", "complete" + at(*id) + ": 1 of 2"});
    auto const ignored = c.node(0).counts().ignored;
    CHECK(c.node(2).reply(c.members[2]->asked.at(0), 1));
    c.settle();
    CHECK(c.told(0) == nothing);
    CHECK(c.node(0).counts().ignored == ignored + 1);
}

TEST_CASE("a bus may bring the messages for one node to all: the others ignore them", "[cluster]") {
    trio c;
    c.brings_to_all = true;
    c.answer();
    auto const acks = c.node(0).in("/").emit_with_ack(1s, "q");
    REQUIRE(acks);
    c.settle();
    CHECK(c.told(0).back() == "complete" + at(*acks) + ": 3 of 3, whole");
    auto const sockets = c.node(0).in("/").fetch_sockets(1s);
    REQUIRE(sockets);
    c.settle();
    CHECK(c.told(0).back() == "complete" + at(*sockets) + ": 2 of 2, whole");
    CHECK(c.told(1) == nothing);
    CHECK(c.node(1).counts().ignored == 3); // how many node 2 has asked, its answer, its sockets
}

//=== nodes come and go ===//

TEST_CASE("nodes learn of each other", "[cluster]") {
    cluster_of c(2);
    CHECK(c.node(0).node_count() == 1);
    c.add_server();
    c.settle();
    CHECK(c.told(0) == lines{"joined 2"});
    CHECK(c.told(1) == lines{"joined 2"});
    auto told = c.told(2);
    std::ranges::sort(told);
    CHECK(told == lines{"joined 0", "joined 1"});
    CHECK(c.node(2).node_count() == 2);
    CHECK(c.node(0).id().size() == 16);
    CHECK(c.node(0).id() != c.node(1).id());
    c.pass(60s); // heartbeats keep them
    CHECK(c.told(0) == nothing);
}

TEST_CASE("a node counts the others without asking them", "[cluster]") {
    cluster_of c(3);
    auto const sent = c.node(0).counts().sent;
    auto const counted = c.node(0).count_nodes("/n");
    REQUIRE(counted);
    c.settle();
    CHECK(c.told(0) == lines{"complete" + at(*counted) + ": 0 of 2, whole"});
    CHECK(c.node(0).counts().sent == sent);
    c.node(1).close();
    auto const alone = c.node(1).count_nodes();
    REQUIRE(alone);
    c.settle();
    CHECK(c.told(1).back() == "complete" + at(*alone) + ": 0 of 0, whole");
}

TEST_CASE("a node that closes says goodbye, and the requests that wait for it end", "[cluster]") {
    trio c;
    auto const replies = c.node(0).server_side_emit_with_ack("/", 60s, "q");
    auto const acks = c.node(0).in("/").emit_with_ack(60s, "q");
    REQUIRE(replies);
    REQUIRE(acks);
    c.settle();
    c.server(0).disconnect(c.clients[0].socket);
    c.node(1).close();
    c.node(1).close(); // once more does no harm
    c.settle();
    CHECK(c.told(0) == lines{"left 1"});
    auto told = c.told(1);
    std::ranges::sort(told);
    CHECK(told == lines{R"(event / ["q"] from 0?)", "left 0", "left 2"});
    c.node(2).close();
    c.settle();
    CHECK(c.told(0) == lines{"complete" + at(*replies) + ": 0 of 2", "complete" + at(*acks) + ": 0 of 3", "left 2"});
    CHECK(c.node(0).node_count() == 0);
}

TEST_CASE("a node that has closed serves its own sockets only", "[cluster]") {
    trio c;
    c.node(0).close();
    c.settle();
    c.all_got();
    c.published = 0;
    auto const ignored = c.node(0).counts().ignored;
    CHECK(c.after([&] {
        CHECK(c.node(0).in("/").emit("news", 1));
        CHECK(c.node(1).in("/").emit("news", 2));
    }) == heard{news, lines{R"(["news",2])"}, lines{R"(["news",2])"}});
    CHECK(c.node(0).counts().ignored == ignored + 1);
    CHECK(c.published == 1);
    c.told(0);
    c.pass(60s);
    CHECK(c.told(0) == nothing);
}

TEST_CASE("a node that is silent for too long is gone, and the requests that wait for it end", "[cluster]") {
    trio c;
    auto const id = c.node(0).in("/").fetch_sockets(60s);
    REQUIRE(id);
    c.die(1);
    c.settle();
    c.told(0);
    c.pass(10s);
    CHECK(c.told(0) == nothing);
    c.pass(1s);
    CHECK(c.told(0) == lines{"complete" + at(*id) + ": 1 of 2", "left 1"});
    CHECK(c.node(0).node_count() == 1);
    CHECK(c.node(0).request_count() == 0);
}

TEST_CASE("an interval of nothing makes no heartbeat that is always due") {
    cluster_of::settings s;
    s.heartbeat.interval = 0ms;
    cluster_of c(2, s);
    c.pass(5ms);
    CHECK(c.node(0).node_count() == 1);
    c.node(0).handle_timeout(c.now());
    CHECK((c.node(0).poll_timeout() > c.now()));
}

TEST_CASE("a node that answers one other node says to the rest that it is there", "[cluster]") {
    trio c;
    for (int i = 0; i != 30; ++i) {
        CHECK(c.node(0).in("/").fetch_sockets(500ms));
        c.pass(1s);
    }
    auto const told = c.told(1);
    CHECK(std::ranges::count(told, "left 2"s) == 0);
    CHECK(std::ranges::count(told, "left 0"s) == 0);
}

TEST_CASE("a node that was thought to be gone is back with its next heartbeat", "[cluster]") {
    trio c;
    c.on_bus = [&](std::size_t from, std::size_t to, std::string_view) { return from != 1 && to != 1; };
    c.pass(11s);
    CHECK(c.told(0) == lines{"left 1"});
    c.on_bus = [](std::size_t, std::size_t, std::string_view) { return true; };
    c.pass(5s);
    CHECK(c.told(0) == lines{"joined 1"});
    CHECK(c.node(1).in("/").emit("news", 1));
    c.settle();
    CHECK(c.got(0) == news);
}

TEST_CASE("a node waits for those it knows when it asks: who comes later is asked nothing", "[cluster]") {
    cluster_of c(2);
    auto const id = c.node(0).server_side_emit_with_ack("/", 1s, "q");
    REQUIRE(id);
    c.settle();
    c.add_server();
    c.settle();
    CHECK(c.node(1).reply(c.members[1]->asked.at(0), 1));
    c.settle();
    CHECK(c.told(0) == lines{"joined 2", "reply" + at(*id) + ": 1 from 1", "complete" + at(*id) + ": 1 of 1, whole"});
}

TEST_CASE("requests while no other node is there are complete at once", "[cluster]") {
    cluster_of c(1);
    c.connect(0);
    for (int round = 0; round != 2; ++round) {
        auto const replies = c.node(0).server_side_emit_with_ack("/", 1s, "q");
        auto const sockets = c.node(0).in("/").fetch_sockets();
        REQUIRE(replies);
        REQUIRE(sockets);
        c.settle();
        CHECK(c.told(0) == lines{"complete" + at(*replies) + ": 0 of 0, whole",
                                 "sockets" + at(*sockets) + ": c0 from 0",
                                 "complete" + at(*sockets) + ": 0 of 0, whole"});
        c.pass(11s);
    }
}

//=== limits ===//

TEST_CASE("no more than max_requests wait at once, of this node and of others", "[cluster]") {
    cluster_of::settings s;
    s.node.max_requests = 2;
    trio c(s);
    CHECK(c.node(0).in("/").emit_with_ack(1s, "q"));
    CHECK(c.node(0).server_side_emit_with_ack("/", 1s, "q"));
    CHECK(c.node(0).in("/").emit_with_ack(1s, "q").error().code == errc::too_many_requests);
    CHECK(c.node(0).in("/").fetch_sockets().error().code == errc::too_many_requests);
    CHECK(c.node(0).server_side_emit_with_ack("/", 1s, "q").error().code == errc::too_many_requests);
    c.settle();
    CHECK(c.node(2).in("/").emit_with_ack(1s, "q"));
    CHECK(c.node(2).in("/").emit_with_ack(1s, "q"));
    c.settle();
    CHECK(c.node(1).request_count() == 2); // of three
    CHECK(c.node(1).counts().ignored == 1);
    c.pass(2s);
    for (std::size_t n = 0; n != 3; ++n) CHECK(c.node(n).request_count() == 0);
}

TEST_CASE("events that the application does not poll are ignored beyond max_events", "[cluster]") {
    cluster_of::settings s;
    s.node.max_events = 10'000;
    cluster_of c(2, s);
    auto& sender = c.node(0);
    auto& lazy = c.node(1);
    for (int i = 0; i != 1000; ++i) {
        CHECK(sender.server_side_emit("/", "x", std::string(1000, 'x')));
        while (auto const t = sender.poll_transmit()) lazy.received(t->bytes, c.now());
    }
    c.settle();
    auto const told = c.told(1).size();
    CHECK(told > 5);
    CHECK(told < 15);
    CHECK(lazy.counts().ignored == 1000 - told);
    CHECK(sender.server_side_emit("/", "again"));
    c.settle();
    CHECK(c.told(1) == lines{R"(event / ["again"] from 0)"});
}

TEST_CASE("messages that the bus does not fetch are dropped beyond max_queued, and that is told", "[cluster]") {
    cluster_of::settings s;
    s.node.max_queued = 10'000;
    trio c(s);
    for (int i = 0; i != 100; ++i) CHECK(c.node(0).in("/").emit("x", std::string(1000, 'x')));
    auto const dropped = c.node(0).counts().dropped;
    CHECK(dropped > 85);
    c.settle();
    CHECK(c.told(0) == lines{"dropped " + std::to_string(dropped)});
    CHECK(c.got(0).size() == 100); // this node's own get all
    CHECK(c.got(1).size() == 100 - dropped);
    CHECK(c.node(0).in("/").emit("news", 1));
    c.settle();
    CHECK(c.got(1) == news);
    CHECK(c.told(0) == nothing);
}

TEST_CASE("messages longer than max_message are not sent, and ignored if they come", "[cluster]") {
    cluster_of::settings s;
    cluster_of c(1, s);
    s.node.max_message = 1000;
    c.add_server(s);
    c.settle();
    c.connect(0);
    c.connect(1);
    CHECK(c.node(1).in("/").emit("x", std::string(1000, 'x')).error().code == errc::message_too_large);
    auto const ignored = c.node(1).counts().ignored;
    CHECK(c.node(0).in("/").emit("x", std::string(1000, 'x')));
    c.settle();
    CHECK(c.got(0).size() == 1);
    CHECK(c.got(1) == nothing);
    CHECK(c.node(1).counts().ignored == ignored + 1);
}

TEST_CASE("no more than max_nodes are known: the messages of others are ignored", "[cluster]") {
    cluster_of::settings s;
    s.heartbeat.max_nodes = 1;
    trio c(s);
    CHECK(c.node(0).node_count() == 1);
    auto const ignored = c.node(0).counts().ignored;
    CHECK(c.node(2).in("/").emit("news", 1));
    c.settle();
    CHECK(c.got(0) == nothing);
    CHECK(c.node(0).counts().ignored == ignored + 1);
}

TEST_CASE("messages that name more than max_rooms are ignored", "[cluster]") {
    cluster_of::settings s;
    s.node.max_rooms = 2;
    trio c(s);
    auto two = c.node(0).to("a").to("b");
    CHECK(c.after([&] { CHECK(two.emit("news", 1)); }) == heard{news, news, news});
    CHECK(c.after([&] { CHECK(two.to("c").emit("news", 1)); }) == heard{news, nothing, nothing});
    CHECK(c.node(1).counts().ignored == 1);
}

//=== callbacks, and numbers that lie ===//

TEST_CASE("a callback may let time pass, and bring the next message", "[cluster]") {
    cluster_of::settings s;
    std::function<void()> act = [] {};
    s.node.write_data = [&act](socketio::socket_handle, json::writer& out) {
        act();
        out.null();
    };
    trio c(s);
    act = [&] { c.node(0).handle_timeout(c.now() + 1h); };
    CHECK(c.node(0).in("/").fetch_sockets(1s));
    act = [] {};
    c.settle();
    CHECK(c.node(0).request_count() == 0);
}

TEST_CASE("a node that lies about its clients does not end what others owe", "[cluster]") {
    using cluster::detail::request;
    request r;
    r.is_by_name = true;
    r.nodes = 2;
    r.respondents.push_back({.node = "liar"});
    r.respondents.push_back({.node = "honest"});
    CHECK(r.note_spoken("liar", ~std::uint64_t{0}));
    CHECK(r.note_spoken("honest", 2));
    CHECK_FALSE(r.note_spoken("honest", 2));
    r.note_left("liar");
    CHECK_FALSE(r.is_complete());
    CHECK(r.note_ack("honest"));
    CHECK(r.note_ack("honest"));
    CHECK_FALSE(r.note_ack("honest"));
    CHECK(r.is_complete());
    CHECK_FALSE(r.is_whole());
}

TEST_CASE("what is as deep as clients take reaches all servers", "[cluster]") {
    trio c;
    std::string const deep = std::string(999, '[') + std::string(999, ']');
    CHECK(c.after([&] { CHECK(c.node(0).in("/").emit("deep", json::text::trusted(deep))); }) ==
          heard(3, lines{R"(["deep",)" + deep + "]"}));
    auto const deeper = "[" + deep + "]";
    CHECK(c.node(0).in("/").emit("deep", json::text::trusted(deeper)).error().code == errc::depth_exceeded);
}

TEST_CASE("a wait may be as long as time", "[cluster]") {
    cluster_of::settings s;
    s.node.max_timeout = milliseconds::max();
    s.heartbeat.timeout = milliseconds::max();
    trio c(s);
    CHECK(c.node(0).server_side_emit_with_ack("/", milliseconds::max(), "wait"));
    c.settle();
    CHECK(c.node(0).request_count() == 1);
}

//=== recovery ===//

TEST_CASE("a client that was away gets what came from other servers meanwhile", "[cluster]") {
    trio c(with_recovery());
    auto const with_offset = [](lines const& got) {
        lines names;
        for (auto const& line : got) names.push_back(line.substr(0, line.find(R"(,")")));
        return names;
    };
    CHECK(c.node(0).in("/").emit("n", 1)); // each client knows an offset from now on: that of its server
    c.settle();
    CHECK(with_offset(c.got(1)) == lines{R"(["n",1)"});
    CHECK(c.got(0) != c.got(2));
    c.members[1]->world.cut(0);
    c.settle();
    CHECK(c.node(0).to("a").emit("n", 2));
    CHECK(c.node(2).to(c.clients[1].sid).emit("n", 3));
    CHECK(c.node(2).to("b").emit("n", 4));
    CHECK(c.node(0).in("/").emit_volatile("n", 5));
    CHECK(c.node(0).to("a").except(c.clients[1].sid).emit("n", 6));
    c.settle();
    CHECK(c.got(1) == lines{"disconnected: transport close"});
    c.members[1]->world.mend(0);
    c.pass(10s);
    CHECK(with_offset(c.got(1)) == lines{"recovered", R"(["n",2)", R"(["n",3)"});
}

TEST_CASE("a socket whose connection is lost can be left out of what it will recover", "[cluster]") {
    trio c(with_recovery());
    CHECK(c.node(0).in("/").emit("n", 1));
    c.settle();
    c.got(1);
    auto const sender = c.clients[1].socket;
    c.members[1]->world.cut(0);
    c.settle();
    CHECK(c.node(1).in("/").except(sender).emit("n", 2));
    c.settle();
    c.got(1);
    c.members[1]->world.mend(0);
    c.pass(10s);
    CHECK(c.got(1) == lines{"recovered"});
}

} // namespace cluster_message_node_test
