// Servers that act as one over a Redis stream, and clients that have their state again on any of them.

#include "cluster/fake_redis.hpp"
#include "tools/catch.hpp"
#include "tools/data.hpp"

#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/cluster/detail/stream_entry.hpp>
#include <socketless/cluster/redis_node.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/text/base64.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cluster_redis_streams_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_literals;
using cluster::redis_connection;
using cluster::redis_fate;
using cluster::redis_mode;
using support::fake_redis;
using lines = std::vector<std::string>;
using words = fake_redis::words;

namespace {

cluster::redis_options streams() {
    cluster::redis_options options;
    options.mode = redis_mode::streams;
    return options;
}

server_options recovering() {
    server_options options;
    options.recovery.emplace();
    return options;
}

std::size_t add(fake_redis& redis, cluster::node_options const& node = {}) {
    return redis.add_connected(node, streams());
}
words broadcast(std::string const& uid, std::string const& data) {
    return {"uid", uid, "nsp", "/", "type", "3", "data", data};
}
std::string event(std::string const& args, std::string const& rooms = "", std::string const& except = "") {
    return R"({"packet":{"type":2,"data":[)" + args + R"(]},"opts":{"rooms":[)" + rooms + R"(],"except":[)" + except +
           R"(],"flags":{}}})";
}

} // namespace

//=== messages ===//

TEST_CASE("the bus is connected once all three connections are there, and the place in the stream is known") {
    fake_redis redis;
    redis.add_entry(broadcast("other", event(R"("old")")));
    auto const a = redis.add({}, streams());
    redis.join(a);
    redis.node(a).connected(redis_connection::commands, redis.now(a));
    redis.node(a).connected(redis_connection::subscriptions, redis.now(a));
    redis.settle();
    CHECK(redis.told(a).empty());
    CHECK(redis.commands(a) ==
          std::vector<words>{{"SUBSCRIBE", "socket.io#/#", "socket.io#/#" + std::string(redis.node(a).id()) + "#"}});
    redis.node(a).connected(redis_connection::reader, redis.now(a));
    redis.settle();
    CHECK(redis.told(a) == lines{"connected"});
    CHECK(redis.got(a).empty());
}

TEST_CASE("broadcasts and what changes sockets are entries of the stream, as the reference adds them") {
    fake_redis redis;
    auto const a = add(redis);
    auto const uid = std::string(redis.node(a).id());
    CHECK(redis.node(a).to("x").except("y").emit("news", 1, "two"));
    CHECK(redis.node(a).in("/").emit("binary", byte_view(as_bytes("ab"))));
    CHECK(redis.node(a).in("/").join("x"));
    CHECK(redis.node(a).in("/").leave("x"));
    redis.node(a).in("/").disconnect_connections().ignore();
    redis.settle();
    words const begin{"XADD", "socket.io", "MAXLEN", "~", "10000", "*"};
    std::vector<words> const wanted{
        {"uid", uid, "nsp", "/", "type", "3", "data", event(R"("news",1,"two")", R"("x")", R"("y")")},
        {"uid", uid, "nsp", "/", "type", "3", "data",
         "gqZwYWNrZXSCpHR5cGUCpGRhdGGSpmJpbmFyecQCYWKkb3B0c4Olcm9vbXOQpmV4Y2VwdJClZmxhZ3OA"},
        {"uid", uid, "nsp", "/", "type", "4", "data", R"({"opts":{"rooms":[],"except":[],"flags":{}},"rooms":["x"]})"},
        {"uid", uid, "nsp", "/", "type", "5", "data", R"({"opts":{"rooms":[],"except":[],"flags":{}},"rooms":["x"]})"},
        {"uid", uid, "nsp", "/", "type", "6", "data", R"({"opts":{"rooms":[],"except":[],"flags":{}},"close":true})"}};
    auto const commands = redis.commands(a);
    REQUIRE(commands.size() == wanted.size());
    for (std::size_t i = 0; i != wanted.size(); ++i) {
        CHECK(std::equal(begin.begin(), begin.end(), commands[i].begin()));
        CHECK(words(commands[i].begin() + 6, commands[i].end()) == wanted[i]);
    }
}

TEST_CASE("entries of servers of Node are read, and written again byte for byte") {
    std::size_t count = 0;
    for (auto const& text : support::data_lines("cluster/redis-streams.jsonl")) {
        auto const line = json::validate(text).value();
        if (!line.find("kind")->equals("entry")) continue;
        std::vector<std::string> said;
        for (auto const word : line.find("fields")->elements()) said.push_back(word.get<std::string>().value());
        cluster::detail::stream_fields const fields{said[1], said[3], said[5], said[7]};
        std::string buffer;
        cluster::detail::message m;
        REQUIRE(cluster::detail::decode(fields, buffer, m, limits(), 1'000));
        ++count;
        if (said[7].find("compress") != std::string::npos) continue; // a flag that nodes leave out
        std::string data;
        CHECK(cluster::detail::encode_stream_data(data, m));
        CHECK(data == said[7]);
        CHECK(cluster::detail::type_field(m.type) == said[5]);
    }
    CHECK(count == 13);
}

TEST_CASE("an entry reaches the sockets of all other nodes, each once") {
    fake_redis redis;
    auto const a = add(redis);
    auto const b = add(redis);
    for (auto const n : {a, b}) redis.join(n);
    CHECK(redis.node(a).in("/").emit("news", 1));
    CHECK(redis.node(b).in("/").emit("news", 2, byte_view(as_bytes("x"))));
    redis.settle();
    lines const wanted{R"(0["news",1])", R"(0["news",2,{"_placeholder":true,"num":0}])"};
    for (auto const n : {a, b}) {
        auto got = redis.got(n);
        std::ranges::sort(got);
        CHECK(got == wanted);
    }
}

TEST_CASE("requests and their answers go by Pub/Sub") {
    fake_redis redis;
    auto const a = add(redis);
    auto const b = add(redis);
    for (auto const n : {a, b}) redis.join(n);
    for (auto const n : {a, b}) redis.commands(n);
    redis.on_event = [](fake_redis::member& m, cluster::event& e) {
        if (e.reply) m.node.reply(e.reply, "yes").ignore();
    };
    CHECK(redis.node(a).in("/").fetch_sockets());
    CHECK(redis.node(a).in("/").emit_with_ack(std::nullopt, "ask"));
    CHECK(redis.node(a).server_side_emit_with_ack("/", std::nullopt, "ask"));
    CHECK(redis.node(a).server_side_emit("/", "note", 1));
    CHECK(redis.node(a).count_nodes());
    redis.settle();
    auto told = redis.told(a);
    std::ranges::sort(told);
    CHECK(told == lines{R"(ack "ok")", R"(ack "ok")", "complete 0/1", "complete 1/1", "complete 1/1", "complete 2/2",
                        R"(reply "yes")", "sockets 1", "sockets 1"});
    CHECK(redis.told(b) == lines{R"(event ["note",1])", R"(event ["ask"])"});
    for (words const& c : redis.commands(a)) CHECK((c[0] == "PUBLISH" || c[0] == "PUBSUB"));
    for (words const& c : redis.commands(b)) {
        CHECK(c[0] == "PUBLISH");
        CHECK(c[1] == "socket.io#/#" + std::string(redis.node(a).id()) + "#");
    }
    CHECK(redis.stream.empty());
}

TEST_CASE("what was added while the reader was lost is read when it is back, once") {
    fake_redis redis;
    auto const a = add(redis);
    auto const b = add(redis);
    redis.join(b);
    CHECK(redis.node(a).in("/").emit("news", 1));
    redis.settle();
    redis.lose(b, redis_connection::reader);
    CHECK(redis.told(b).empty());
    CHECK(redis.node(a).in("/").emit("news", 2));
    redis.settle();
    CHECK(redis.told(b) == lines{"lost"});
    redis.node(b).connected(redis_connection::reader, redis.now(b));
    redis.settle();
    CHECK(redis.told(b) == lines{"connected"});
    CHECK(redis.got(b) == lines{R"(0["news",1])", R"(0["news",2])"});
}

TEST_CASE("a stream that was made anew is read from its begin on") {
    fake_redis redis;
    auto const a = add(redis);
    redis.join(a);
    redis.clock = 500;
    redis.add_entry(broadcast("other", event("\"old\"")));
    redis.settle();
    redis.lose(a, redis_connection::reader);
    redis.stream.clear();
    redis.clock = 0;
    redis.node(a).connected(redis_connection::reader, redis.now(a));
    redis.settle();
    redis.add_entry(broadcast("other", event("\"new\"")));
    redis.settle();
    CHECK(redis.got(a) == lines{R"(0["old"])", R"(0["new"])"});
}

TEST_CASE("replies of any shape do no harm, and the reader goes on after a pause") {
    fake_redis redis;
    auto const a = redis.add({}, streams());
    auto const now = redis.now(a);
    redis.node(a).connected(redis_connection::reader, now);
    using kind = cluster::redis_reply::kind;
    auto const next = [&](time_point at) {
        redis.node(a).handle_timeout(at);
        auto const c = redis.node(a).poll_transmit();
        return c ? std::pair(c->token, std::string(c->words[0])) : std::pair(std::uint64_t{0}, std::string());
    };
    auto [token, word] = next(now);
    CHECK(word == "XREVRANGE");
    redis.node(a).replied(token, {.type = kind::error, .text = "LOADING", .elements = {}}, now);
    CHECK(next(now).second.empty());
    CHECK(redis.node(a).poll_timeout() == now + 1s);
    std::tie(token, word) = next(now + 1s);
    CHECK(word == "XREVRANGE");
    redis.node(a).replied(token, {.type = kind::array, .text = {}, .elements = {}}, now + 1s);
    std::vector<cluster::redis_reply> bad{{.type = kind::error, .text = "WRONGTYPE", .elements = {}},
                                          {.type = kind::integer, .text = {}, .integer = 7, .elements = {}},
                                          {.type = kind::array, .text = {}, .elements = {}}};
    cluster::redis_reply const text{.type = kind::text, .text = "1-1", .elements = {}};
    std::array<cluster::redis_reply, 2> const two{text, text};
    bad.push_back({.type = kind::array, .text = {}, .elements = two});
    std::array<cluster::redis_reply, 1> const one{bad.back()};
    bad.push_back({.type = kind::array, .text = {}, .elements = one});
    auto at = now + 1s;
    for (auto const& reply : bad) {
        std::tie(token, word) = next(at);
        CHECK(word == "XREAD");
        redis.node(a).replied(token, reply, at);
        redis.node(a).replied(token, reply, at);
        CHECK(next(at).second.empty());
        at += 1s;
    }
    std::tie(token, word) = next(at);
    redis.node(a).replied(token, {}, at); // nothing came in time
    CHECK(next(at).second == "XREAD");
}

TEST_CASE("entries of any shape are ignored, and those behind them read") {
    fake_redis redis;
    auto const a = add(redis);
    redis.join(a);
    for (words const& fields :
         {words{}, words{"uid"}, words{"uid", "x", "nsp", "/"}, words{"nsp", "/", "type", "3"}, broadcast("x", ""),
          broadcast("x", "{"), broadcast("x", "{}"), broadcast("x", "[]"), broadcast("x", "!"), broadcast("x", "gqZw"),
          broadcast(std::string(1000, 'x'), "{}"), words{"uid", "x", "nsp", "/", "type", "7", "data", "{}"},
          words{"uid", "x", "nsp", "/", "type", "-3", "data", event("\"x\"")},
          words{"uid", "x", "nsp", "/", "type", "3.0", "data", event("\"x\"")},
          words{"uid", "x", "nsp", "", "type", "3", "data", event("\"x\"")}, broadcast("x", event("{}")),
          broadcast("x", event("\"a\",1") + " ")})
        redis.add_entry(fields);
    redis.add_entry(broadcast("x", event("\"good\"")));
    redis.settle();
    CHECK(redis.got(a) == lines{R"(0["a",1])", R"(0["good"])"});
}

//=== recovery ===//

namespace {

// A client that was lost on one server, as it comes to another.
struct lost_client {
    std::string pid;
    std::string offset;
};

struct recovery : fake_redis {
    std::size_t a, b;
    std::vector<std::string> data; // of sockets that have come back

    explicit recovery(server_options const& options = recovering(), cluster::node_options node = {}) {
        node.write_data = [this](socketio::socket_handle, json::writer& out) { out.value(written); };
        node.read_data = [this](socketio::argument const& value) {
            data.emplace_back(value.json().raw());
            return std::make_shared<int>(1);
        };
        a = add_connected(node, streams(), options);
        b = add_connected(node, streams(), options);
        for (auto& m : members) {
            m->world.on_server_event = [&m = *m, this](socketio::event& e) {
                if (m.node.handle(e)) return;
                if (e.type == socketio::event_type::connecting) {
                    asked.push_back(e.socket);
                    promised.push_back(e.recovered);
                }
                if (e.type == socketio::event_type::connected) {
                    m.last_connected = e.socket;
                    recovered = e.recovered;
                }
            };
        }
    }
    std::string written = "the data";
    std::map<std::string, std::string> parked; // keys that were set before
    bool recovered = false;
    std::vector<socketio::socket_handle> asked;
    std::vector<bool> promised;

    server& io(std::size_t n) { return members[n]->world.server; }

    // A client of the first server, lost for good.
    lost_client lose_one(std::vector<std::string> const& rooms = {}) {
        auto const c = members[a]->world.peers.size();
        join(a, "/", rooms);
        CHECK(node(b).in("/").emit("first"));
        settle();
        lost_client lost{{}, stream.back().id};
        members[a]->world.cut(c);
        settle();
        CHECK(keys.size() == 1);
        lost.pid = keys.begin()->first.substr("sio:session:"s.size());
        got(a);
        got(b);
        return lost;
    }
    // It comes to a server.
    void come(std::size_t n, lost_client const& lost, std::string_view nsp = "/") {
        auto const c = members[n]->world.add();
        members[n]->world.client(c).connect(nsp, json::object("pid", lost.pid, "offset", lost.offset)).ignore();
    }
    // Without the offsets.
    lines events(std::size_t n) {
        lines all;
        for (auto const& line : got(n)) all.push_back(line.substr(1, line.rfind(",\"1") - 1) + "]");
        return all;
    }
};

} // namespace

TEST_CASE("broadcasts carry the ids of their entries, on each server alike and in the same order") {
    recovery r;
    for (auto const n : {r.a, r.b}) r.join(n);
    r.members[r.a]->reads = false;
    CHECK(r.node(r.a).in("/").emit("one"));
    CHECK(r.node(r.a).in("/").join("room"));
    r.settle();
    CHECK(r.got(r.a).empty()); // what this server has added is delivered in its turn
    CHECK(r.node(r.b).to("room").emit("two"));
    r.settle();
    r.members[r.a]->reads = true;
    r.settle();
    lines const wanted{R"(0["one","1000-0"])", R"(0["two","1002-0"])"};
    CHECK(r.got(r.a) == wanted);
    CHECK(r.got(r.b) == wanted);
}

TEST_CASE("volatile events and those that ask for acknowledgements carry no offset") {
    recovery r;
    for (auto const n : {r.a, r.b}) r.join(n);
    CHECK(r.node(r.a).in("/").emit_volatile("one"));
    CHECK(r.node(r.a).in("/").emit_with_ack(std::nullopt, "two"));
    r.settle();
    for (auto const n : {r.a, r.b}) {
        auto got = r.got(n);
        std::ranges::sort(got);
        CHECK(got == lines{R"(0["one"])", R"(0["two"])"});
    }
}

TEST_CASE("a client that loses its server has its state again on another, and misses nothing") {
    recovery r;
    auto const lost = r.lose_one({"room", "other"});
    auto const sid = std::string(r.io(r.a).sid(r.members[r.a]->last_connected));
    CHECK(r.lifetimes.begin()->second == "PX 120000");
    CHECK(r.node(r.b).to("room").emit("one"));
    r.settle();
    CHECK(r.node(r.a).to("elsewhere").emit("not for it"));
    CHECK(r.node(r.a).in("/").except("other").emit("not for it either"));
    CHECK(r.node(r.a).in("/").emit("two", byte_view(as_bytes("x"))));
    CHECK(r.node(r.a).in("/").emit_volatile("volatile"));
    r.settle();
    r.come(r.b, lost);
    r.settle();
    CHECK(r.recovered);
    CHECK(r.keys.empty()); // once
    CHECK(r.data == lines{R"("the data")"});
    CHECK(r.events(r.b) == lines{R"(["one"])", R"(["two",{"_placeholder":true,"num":0}])"});
    auto const socket = r.members[r.b]->last_connected;
    CHECK(r.io(r.b).data<int>(socket) != nullptr);
    auto const rooms = r.io(r.b).rooms_of(socket);
    CHECK(std::set<std::string_view>(rooms.begin(), rooms.end()) == std::set<std::string_view>{"other", "room"});
    CHECK(r.node(r.a).to("room").emit("live"));
    r.settle();
    CHECK(r.events(r.b) == lines{R"(["live"])"});
}

TEST_CASE("an event for one socket that is emitted while it is lost reaches it on another server") {
    recovery r;
    auto const socket = r.join(r.a);
    auto const sid = std::string(r.io(r.a).sid(socket));
    CHECK(r.io(r.a).emit(socket, "first"));
    r.settle();
    CHECK(r.got(r.a) == lines{R"(0["first","1000-0"])"});
    r.members[r.a]->world.cut(0);
    r.settle();
    CHECK(r.node(r.a).to(sid).emit("second"));
    r.settle();
    r.come(r.b, {r.keys.begin()->first.substr(12), "1000-0"});
    r.settle();
    CHECK(r.got(r.b) == lines{R"(0["second","1001-0"])"});
    CHECK(r.io(r.b).sid(r.members[r.b]->last_connected) == sid);
}

TEST_CASE("what is added while a client has its state restored reaches it once, whoever is ahead") {
    for (bool const reader_is_ahead : {false, true}) {
        recovery r;
        r.page = 3;
        auto const lost = r.lose_one();
        for (int i = 0; i != 10; ++i) CHECK(r.node(r.a).in("/").emit("before", i));
        r.settle();
        r.members[r.b]->reads = reader_is_ahead;
        r.come(r.b, lost);
        r.members[r.b]->world.settle();
        std::size_t added = 0;
        while (auto c = r.node(r.b).poll_transmit()) { // each command of the restoring sees a longer stream
            words const w(c->words.begin(), c->words.end());
            auto const add_one = [&] {
                r.add_entry(broadcast("other", event("\"meanwhile\"," + std::to_string(added++))));
            };
            bool const restores = w[0] != "XREAD";
            if (restores) add_one();
            r.run(r.b, c->token, w);
            if (!restores || !reader_is_ahead) continue;
            add_one();
            r.read(r.b);
        }
        r.members[r.b]->reads = true;
        r.settle();
        CHECK(r.recovered);
        lines wanted;
        for (int i = 0; i != 10; ++i) wanted.push_back("[\"before\"," + std::to_string(i) + "]");
        for (std::size_t i = 0; i != added; ++i) wanted.push_back("[\"meanwhile\"," + std::to_string(i) + "]");
        CHECK(added > 4);
        CHECK(r.events(r.b) == wanted);
    }
}

TEST_CASE("who claims what is not there gets a new session") {
    recovery r;
    auto const lost = r.lose_one();
    lost_client claim = lost;
    SECTION("the pid is unknown") {
        claim.pid.back() = claim.pid.back() == 'x' ? 'y' : 'x';
    }
    SECTION("the offset is not in the stream") {
        claim.offset = "5-0";
    }
    SECTION("the offset is none") {
        claim.offset = "5";
    }
    SECTION("the session is none") {
        r.keys.begin()->second = "abcd";
    }
    SECTION("the session is that of another") {
        claim.pid.back() = claim.pid.back() == 'x' ? 'y' : 'x';
        r.keys["sio:session:" + claim.pid] = r.keys["sio:session:" + lost.pid];
    }
    SECTION("the stream has been trimmed") {
        r.stream.clear();
    }
    SECTION("Redis says nothing") {
        r.members[r.b]->replies = false;
    }
    r.come(r.b, claim);
    r.settle();
    r.pass(r.b, 6s);
    CHECK_FALSE(r.recovered);
    CHECK(r.io(r.b).in("/").size() == 1);
    CHECK(r.got(r.b).empty());
}

TEST_CASE("a stream that is trimmed while it is read gives no state again with events missing") {
    recovery r;
    r.page = 3;
    auto const lost = r.lose_one();
    for (int i = 0; i != 10; ++i) CHECK(r.node(r.a).in("/").emit("before", i));
    r.settle();
    r.come(r.b, lost);
    r.members[r.b]->world.settle();
    for (std::size_t pages = 0; auto c = r.node(r.b).poll_transmit();) {
        words const w(c->words.begin(), c->words.end());
        r.run(r.b, c->token, w);
        if (w[0] == "XRANGE" && ++pages == 1) r.stream.erase(r.stream.begin(), r.stream.begin() + 6);
    }
    r.settle();
    CHECK_FALSE(r.recovered);
    CHECK(r.io(r.b).in("/").size() == 1);
}

TEST_CASE("a session of one namespace is none of another") {
    recovery r;
    auto const lost = r.lose_one({"room"});
    r.come(r.b, lost, "/admin");
    r.settle();
    CHECK_FALSE(r.recovered);
    CHECK(r.io(r.b).in("/admin").size() == 1);
    r.come(r.b, lost);
    r.settle();
    CHECK(r.recovered);
}

TEST_CASE("of a session whose namespace is not known the application is asked") {
    recovery r;
    r.io(r.b).declare("/", admission::ask);
    auto const lost = r.lose_one();
    // { sid, pid, rooms, data }, as a server of Node keeps it
    auto& kept = r.keys.begin()->second;
    std::string bytes(base64::max_decoded_size(kept.size()), '\0');
    bytes.resize(base64::decode(kept, bytes).value());
    auto const whole = msgpack::validate(bytes).value();
    kept.clear();
    CHECK(cluster::detail::write_base64_of_msgpack_with(kept, [&](msgpack::writer& out) {
        out.begin_object();
        for (auto const* const key : {"sid", "pid", "rooms", "data"}) out.member(key, *whole.find(key));
        out.end_object();
    }));
    r.come(r.b, lost);
    r.settle();
    REQUIRE(r.asked.size() == 1);
    CHECK(r.promised == std::vector{true});
    CHECK(r.io(r.b).accept(r.asked.front()));
    r.settle();
    CHECK(r.recovered);
}

TEST_CASE("a client that has had no event of its session gets none from before it, whatever offset it claims") {
    recovery r;
    r.join(r.a);
    for (int i = 0; i != 3; ++i) CHECK(r.node(r.b).in("/").emit("before", i));
    r.settle();
    auto const old = r.stream.front().id;
    r.join(r.a);
    r.members[r.a]->world.cut(1);
    r.settle();
    r.got(r.a);
    CHECK(r.node(r.b).in("/").emit("after"));
    r.settle();
    r.come(r.b, {r.keys.begin()->first.substr("sio:session:"s.size()), old});
    r.settle();
    CHECK(r.recovered);
    CHECK(r.events(r.b) == lines{R"(["after"])"});
}

TEST_CASE("a client whose session is kept may be put out by the application") {
    recovery r;
    r.join(r.a);
    r.members[r.a]->world.on_server_event = [&](socketio::event& e) {
        if (e.type == socketio::event_type::disconnected) r.io(r.a).disconnect(e.socket);
    };
    r.members[r.a]->world.cut(0);
    r.settle();
    CHECK(r.keys.empty());
    CHECK(r.lifetimes.size() == 1);
}

TEST_CASE("a session is given once") {
    recovery r;
    auto const lost = r.lose_one();
    r.come(r.b, lost);
    r.come(r.b, lost);
    r.settle();
    CHECK(r.io(r.b).in("/").size() == 2);
    CHECK(r.node(r.a).in("/").fetch_sockets());
    r.settle();
    CHECK(r.told(r.a) == lines{"sockets 0", "sockets 2", "complete 1/1"});
    CHECK(r.keys.empty());
}

TEST_CASE("a client that goes while its session is looked for may come again") {
    recovery r;
    auto const lost = r.lose_one();
    r.come(r.b, lost);
    r.members[r.b]->world.settle();
    std::vector<std::pair<std::uint64_t, words>> due;
    while (auto c = r.node(r.b).poll_transmit()) due.emplace_back(c->token, words(c->words.begin(), c->words.end()));
    r.members[r.b]->world.cut(0);
    for (auto const& [token, w] : due) r.run(r.b, token, w);
    r.settle();
    CHECK(r.keys.size() == 1);
    r.come(r.a, lost);
    r.settle();
    CHECK(r.recovered);
}

namespace {

// A client of the second server that has its session again, if the application lets it in.
struct asked_about : recovery {
    asked_about()
        : recovery([] {
              auto options = recovering();
              options.skip_middlewares = false;
              return options;
          }()) {
        io(b).declare("/", admission::ask);
        come(b, lose_one({"room"}));
        settle();
        REQUIRE(asked.size() == 1);
    }
};

} // namespace

TEST_CASE("what comes while the application is asked is not missed") {
    asked_about r;
    CHECK(r.promised == std::vector{true});
    CHECK(r.node(r.a).to("room").emit("meanwhile"));
    r.settle();
    SECTION("it is let in") {
        CHECK(r.io(r.b).accept(r.asked.front()));
        r.settle();
        CHECK(r.events(r.b) == lines{R"(["meanwhile"])"});
        CHECK(r.recovered);
        CHECK(r.keys.empty());
    }
    SECTION("it goes, and may come again") {
        r.members[r.b]->world.cut(0);
        r.pass(r.b, 1s);
        CHECK(r.keys.size() == 1);
    }
}

TEST_CASE("what is kept of clients that the application is asked about is bounded") {
    cluster::node_options node;
    node.max_queued = 100'000;
    auto options = recovering();
    options.skip_middlewares = false;
    recovery r(options, node);
    r.io(r.b).declare("/", admission::ask);
    bool const is_large_session = GENERATE(true, false);
    if (is_large_session) r.written = std::string(30'000, 'x');
    std::vector<lost_client> lost;
    for (int i = 0; i != 4; ++i) {
        lost.push_back(r.lose_one());
        r.parked.merge(r.keys);
    }
    if (!is_large_session) CHECK(r.node(r.a).in("/").emit("missed", std::string(30'000, 'x')));
    r.settle();
    r.keys.merge(r.parked);
    for (auto const& l : lost) {
        r.come(r.b, l);
        r.settle();
    }
    REQUIRE(r.promised.size() == 4);
    CHECK(r.promised.front());
    CHECK_FALSE(r.promised.back());
}

TEST_CASE("a client may come back in thousands of rooms, to events for thousands") {
    recovery r;
    std::vector<std::string> rooms;
    for (int i = 0; i != 3'000; ++i) rooms.push_back("room " + std::to_string(i));
    auto const lost = r.lose_one(rooms);
    std::string others = "\"other\"";
    for (int i = 0; i != 9'000; ++i) others += ",\"other " + std::to_string(i) + '"';
    for (int i = 0; i != 10; ++i) r.add_entry(broadcast("x", event("\"not missed\"", others)));
    r.add_entry(broadcast("x", event("\"missed\"", "\"room 2999\"", others)));
    r.settle();
    r.come(r.b, lost);
    r.settle();
    CHECK(r.recovered);
    CHECK(r.events(r.b) == lines{R"(["missed"])"});
}

TEST_CASE("a client that is put out after it was let in is not kept again") {
    asked_about r;
    CHECK(r.io(r.b).accept(r.asked.front()));
    r.settle();
    CHECK(r.recovered);
    CHECK(r.keys.empty());
    r.io(r.b).disconnect(r.members[r.b]->last_connected);
    r.settle();
    CHECK(r.keys.empty());
    r.pass(r.b, 1s);
    CHECK(r.keys.empty());
}

TEST_CASE("what was kept of a client is not put back over what is kept of it now") {
    asked_about r;
    CHECK(r.io(r.b).accept(r.asked.front()));
    r.settle();
    r.io(r.b).leave(r.members[r.b]->last_connected, "room");
    r.members[r.b]->world.cut(0);
    r.settle();
    REQUIRE(r.keys.size() == 1);
    auto const v = r.keys.begin()->second;
    r.pass(r.b, 1s);
    CHECK(r.keys.begin()->second == v);
}

TEST_CASE("a client that has heard of more than the reader has read gets nothing twice") {
    recovery r;
    r.join(r.a);
    r.members[r.b]->reads = false;
    CHECK(r.node(r.a).in("/").emit("one"));
    r.settle();
    CHECK(r.got(r.a).size() == 1);
    r.members[r.a]->world.cut(0);
    r.settle();
    r.come(r.b, {r.keys.begin()->first.substr(12), r.stream.back().id});
    r.settle();
    CHECK_FALSE(r.recovered); // yet
    r.members[r.b]->reads = true;
    r.settle();
    CHECK(r.recovered);
    CHECK(r.got(r.b) == lines{});
}

TEST_CASE("what a node has acted upon before it is read reaches who has come since") {
    recovery r;
    auto const lost = r.lose_one();
    r.members[r.b]->reads = false;
    CHECK(r.node(r.b).in("/").emit("E"));
    r.settle();
    SECTION("loss") {
        for (auto const c : {redis_connection::reader, redis_connection::commands}) r.lose(r.b, c);
        r.connect(r.b);
        r.settle();
    }
    SECTION("patience") {
        r.pass(r.b, 6s);
    }
    r.come(r.b, lost);
    r.settle();
    CHECK(r.recovered);
    r.members[r.b]->reads = true;
    r.settle();
    CHECK(r.events(r.b) == lines{R"(["E"])"});
}

TEST_CASE("a stream that has lost its last entries is not read again") {
    recovery r;
    r.join(r.a);
    for (int i = 0; i != 5; ++i) CHECK(r.node(r.b).in("/").emit("e", i));
    r.settle();
    CHECK(r.got(r.a).size() == 5);
    for (auto const c : {redis_connection::reader, redis_connection::commands}) r.lose(r.a, c);
    r.stream.pop_back();
    r.connect(r.a);
    r.settle();
    CHECK(r.got(r.a) == lines{});
}

TEST_CASE("a client that is asked about while Redis is lost is not let in as recovered") {
    asked_about r;
    for (auto const c : {redis_connection::reader, redis_connection::commands}) r.lose(r.b, c);
    CHECK(r.node(r.b).in("/").emit("E"));
    r.settle();
    CHECK_FALSE(r.io(r.b).accept(r.asked.front()));
    r.settle();
    r.connect(r.b);
    r.settle();
    CHECK_FALSE(r.recovered);
}

TEST_CASE("a node is heard at home however many rooms it names") {
    for (bool const rec : {false, true}) {
        fake_redis redis;
        cluster::node_options o;
        o.max_rooms = 2;
        auto const a = redis.add_connected(o, streams(), rec ? recovering() : server_options());
        redis.join(a, "/", {"x"});
        CHECK(redis.node(a).to("x").to("y").to("z").emit("E"));
        redis.settle();
        CHECK(redis.got(a).size() == 1);
    }
}

TEST_CASE("a session whose client goes while the application is asked is put back, even if nothing else happens") {
    asked_about r;
    r.pass(r.b, 6s);
    CHECK(r.node(r.b).poll_timeout().has_value());
    r.members[r.b]->world.cut(0);
    r.settle();
    r.pass(r.b, 1s);
    CHECK(r.keys.size() == 1);
}
TEST_CASE("a socket that the application has disconnected is not kept") {
    recovery r;
    auto const socket = r.join(r.a);
    r.io(r.a).disconnect(socket);
    r.settle();
    CHECK(r.keys.empty());
}

//=== loss ===//

TEST_CASE("Redis is lost: what was added is delivered here at once, and not again when it is read") {
    recovery r;
    for (auto const n : {r.a, r.b}) r.join(n);
    for (bool const is_added : {true, false}) {
        r.members[r.a]->reads = false;
        CHECK(r.node(r.a).in("/").emit("one", is_added));
        if (is_added) r.settle();
        for (auto const c : {redis_connection::reader, redis_connection::commands}) r.lose(r.a, c);
        CHECK(r.node(r.a).in("/").emit("two"));
        r.settle();
        std::string const flag = is_added ? "true" : "false";
        CHECK(r.got(r.a) == lines{"0[\"one\"," + flag + "]", R"(0["two"])"});
        r.members[r.a]->reads = true;
        r.connect(r.a);
        r.settle();
        CHECK(r.got(r.a).empty());
        CHECK(r.got(r.b).size() == (is_added ? 1 : 0));
    }
    CHECK(r.node(r.a).in("/").emit("three"));
    r.settle();
    CHECK(r.got(r.a) == lines{R"(0["three","1001-0"])"});
}

TEST_CASE("who got events without an offset is not recovered") {
    recovery r;
    r.join(r.a);
    r.join(r.b);
    r.lose(r.a, redis_connection::reader);
    CHECK(r.node(r.a).in("/").emit("one"));
    r.node(r.a).connected(redis_connection::reader, r.now(r.a));
    r.settle();
    for (auto const n : {r.a, r.b}) r.members[n]->world.cut(0);
    r.settle();
    CHECK(r.keys.size() == 1);
}

TEST_CASE("messages are kept while Redis is lost, if the option says so, and others get them once") {
    fake_redis redis;
    auto options = streams();
    options.when_lost = redis_fate::keep;
    auto const a = redis.add_connected({}, options, recovering());
    auto const b = redis.add_connected({}, options, recovering());
    for (auto const n : {a, b}) redis.join(n);
    redis.lose(a, redis_connection::commands);
    CHECK(redis.node(a).in("/").emit("one"));
    CHECK(redis.got(a).empty());
    redis.settle();
    CHECK(redis.got(a) == lines{R"(0["one"])"});
    redis.node(a).connected(redis_connection::commands, redis.now(a));
    redis.settle();
    CHECK(redis.got(a).empty());
    CHECK(redis.got(b) == lines{R"(0["one","1000-0"])"});
}

TEST_CASE("what Redis refuses is delivered here") {
    recovery r;
    r.join(r.a);
    r.members[r.a]->error = "OOM";
    CHECK(r.node(r.a).in("/").emit("one"));
    r.settle();
    r.members[r.a]->error.clear();
    CHECK(r.node(r.a).in("/").emit("two"));
    r.settle();
    CHECK(r.got(r.a) == lines{R"(0["one"])", R"(0["two","1000-0"])"});
    CHECK(r.told(r.a) == lines{"dropped 1"});
}

TEST_CASE("what Redis does not give back in time is delivered here") {
    recovery r;
    r.join(r.a);
    r.members[r.a]->reads = false;
    CHECK(r.node(r.a).in("/").emit("one"));
    r.pass(r.a, 4s);
    CHECK(r.got(r.a).empty());
    r.pass(r.a, 2s);
    CHECK(r.got(r.a) == lines{R"(0["one"])"});
    r.members[r.a]->reads = true;
    r.settle();
    CHECK(r.got(r.a).empty());
}

} // namespace cluster_redis_streams_test
