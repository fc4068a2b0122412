// Servers that act as one over Redis: which commands a node gives, and what it makes of replies and messages.

#include "cluster/fake_redis.hpp"
#include "cluster/redis_capture.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/cluster/emitter.hpp>
#include <socketless/cluster/redis_node.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cluster_redis_node_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_literals;
using cluster::redis_connection;
using cluster::redis_fate;
using cluster::redis_reply;
using support::fake_redis;
using lines = std::vector<std::string>;
using words = fake_redis::words;

namespace {

std::string own_channel(fake_redis& redis, std::size_t n, std::string const& nsp = "/") {
    return "socket.io-response#" + nsp + "#" + std::string(redis.node(n).id()) + "#";
}

std::vector<words> subscribing(fake_redis& redis, std::size_t n, std::string const& nsp, std::string const& un = "") {
    return {{"P" + un + "SUBSCRIBE", "socket.io#" + nsp + "#*"},
            {un + "SUBSCRIBE", "socket.io-request#" + nsp + "#", "socket.io-response#" + nsp + "#",
             own_channel(redis, n, nsp)}};
}

// The first words of the commands, and the channels.
lines outlined(std::vector<words> const& commands) {
    lines all;
    for (auto const& c : commands) all.push_back(c[0] == "PUBSUB" ? c[0] + " " + c[2] : c[0] + " " + c[1]);
    return all;
}

// The reply to PUBSUB NUMSUB: so many servers listen, the node itself among them.
void reply_count(fake_redis& redis, std::size_t n, std::uint64_t token, std::int64_t count) {
    redis_reply const two[] = {{.type = redis_reply::kind::text, .text = "socket.io-request#/#", .elements = {}},
                               {.type = redis_reply::kind::integer, .text = {}, .integer = count, .elements = {}}};
    redis_reply const array{.type = redis_reply::kind::array, .text = {}, .elements = two};
    redis.node(n).replied(token, array, redis.now(n));
}

lines const all_sent{"PUBLISH socket.io#/#"};
lines const asked_first{"PUBSUB socket.io-request#/#", "PUBLISH socket.io-request#/#"};

} // namespace

//=== connections and subscriptions ===//

TEST_CASE("the bus is connected once both connections are there and the subscriptions are confirmed") {
    fake_redis redis;
    auto const n = redis.add();
    redis.members[n]->confirms = false;
    redis.settle();
    CHECK(redis.commands(n).empty());
    redis.connect(n);
    redis.settle();
    CHECK(redis.commands(n) == subscribing(redis, n, "/"));
    CHECK(redis.told(n).empty());
    redis.push(n, {"psubscribe", "socket.io#/#*", "1"});
    redis.push(n, {"subscribe", "socket.io-request#/#", "2"});
    redis.push(n, {"subscribe", "socket.io-response#/#", "3"});
    redis.push(n, {"subscribe", "socket.io-response#/#another#", "3"});
    redis.settle();
    CHECK(redis.told(n).empty());
    redis.push(n, {"subscribe", own_channel(redis, n), "4"});
    redis.settle();
    CHECK(redis.told(n) == lines{"connected"});
    redis.connect(n); // it knows
    redis.settle();
    CHECK(redis.told(n).empty());
    CHECK(redis.commands(n).empty());
}

TEST_CASE("a node subscribes anew when the connection is back, and the loss of either connection is told once") {
    fake_redis redis;
    auto const n = redis.add_connected();
    redis.lose(n, redis_connection::subscriptions);
    redis.lose(n, redis_connection::commands);
    redis.settle();
    CHECK(redis.told(n) == lines{"lost"});
    redis.node(n).connected(redis_connection::subscriptions, redis.now(n));
    redis.settle();
    CHECK(redis.commands(n) == subscribing(redis, n, "/"));
    CHECK(redis.told(n).empty());
    redis.node(n).connected(redis_connection::commands, redis.now(n));
    redis.settle();
    CHECK(redis.told(n) == lines{"connected"});
    redis.lose(n, redis_connection::commands);
    redis.settle();
    CHECK(redis.told(n) == lines{"lost"});
}

TEST_CASE("a reader that a node does not want is no loss") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.lose(a, redis_connection::reader);
    redis.settle();
    CHECK(redis.told(a).empty());
}

TEST_CASE("a node takes part in a namespace as long as it has sockets there") {
    fake_redis redis;
    auto const n = redis.add_connected();
    auto const socket = redis.join(n, "/chat");
    CHECK(redis.commands(n) == subscribing(redis, n, "/chat"));
    redis.join(n, "/chat");
    CHECK(redis.commands(n).empty());
    redis.members[n]->world.server.disconnect(socket);
    redis.settle();
    redis.pass(n, 1ms);
    CHECK(redis.commands(n).empty());
    redis.node(n).in("/chat").disconnect().ignore();
    redis.settle();
    redis.pass(n, 1ms);
    auto const commands = redis.commands(n);
    auto const expected = subscribing(redis, n, "/chat", "UN");
    CHECK(std::ranges::find(commands, expected[0]) != commands.end());
    CHECK(std::ranges::find(commands, expected[1]) != commands.end());
    CHECK(redis.members[n]->channels.size() == 3);
}

TEST_CASE("a node takes part in a declared namespace for ever") {
    fake_redis redis;
    auto const n = redis.add_connected();
    redis.node(n).declare("/chat");
    redis.settle();
    CHECK(redis.commands(n) == subscribing(redis, n, "/chat"));
    auto const socket = redis.join(n, "/chat");
    redis.members[n]->world.server.disconnect(socket);
    redis.settle();
    redis.pass(n, 1ms);
    CHECK(redis.commands(n).empty());
}

TEST_CASE("namespaces beyond the limit are not subscribed, and there is room again when others have ended") {
    cluster::redis_options options;
    options.max_namespaces = 2;
    fake_redis redis;
    auto const n = redis.add_connected({}, options);
    auto const first = redis.join(n, "/one");
    redis.commands(n);
    redis.join(n, "/two");
    CHECK(redis.commands(n).empty());
    redis.members[n]->world.server.disconnect(first);
    redis.settle();
    redis.pass(n, 1ms);
    redis.commands(n);
    redis.join(n, "/three");
    CHECK(redis.commands(n) == subscribing(redis, n, "/three"));
}

TEST_CASE("thousands of namespaces that lost sockets may come back to are kept until those have gone") {
    constexpr std::size_t many = 3'000;
    server_options server;
    server.recovery.emplace();
    server.sockets.max_sockets = many;
    cluster::redis_options options;
    options.max_namespaces = 2;
    fake_redis redis;
    auto const a = redis.add_connected({}, options, server);
    auto& m = *redis.members[a];
    auto const c = m.world.add();
    m.world.client(c).connect("/first").ignore();
    redis.settle();
    for (std::size_t i = 1; i != many; ++i) m.world.client(c).connect("/" + std::to_string(i)).ignore();
    redis.settle();
    redis.commands(a);
    m.world.cut(c); // a look at all of them for each would take very long
    redis.settle();
    redis.pass(a, 1s);
    CHECK(redis.commands(a).empty());
    for (int i = 0; i != 200; ++i) redis.pass(a, 1s);
    CHECK(redis.commands(a) == subscribing(redis, a, "/first", "UN"));
}

TEST_CASE("patterns match one namespace only, whatever its name") {
    cluster::redis_options options;
    options.prefix = "p*";
    fake_redis redis;
    auto const n = redis.add_connected({}, options);
    redis.node(n).declare("/a*[b]?^\\");
    redis.settle();
    CHECK(redis.commands(n)[0] == words{"PSUBSCRIBE", "p\\*#/a\\*\\[b\\]\\?\\^\\\\#*"});
    redis.join(n, "/a*[b]?^\\");
    redis.publish("p*#/a*[b]?^\\#", cluster::emitter("/a*[b]?^\\").emit("x")->message);
    redis.settle();
    CHECK(redis.got(n) == lines{"0[\"x\"]"});
}

TEST_CASE("a namespace whose channels look like rooms of another gets its own messages, once") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected();
    redis.join(b, "/");
    redis.join(b, "/#x", {"r"});
    redis.join(b, "/", {"x"});
    CHECK(redis.node(a).in("/#x").emit("one"));
    CHECK(redis.node(a).in("/#x").to("r").emit("two"));
    CHECK(redis.node(a).in("/").to("x").emit("three"));
    redis.settle();
    CHECK(redis.got(b) == lines{"1[\"one\"]", "1[\"two\"]", "2[\"three\"]"});
    CHECK(redis.node(b).counts().ignored == 0);
}

//=== broadcasts ===//

TEST_CASE("a broadcast reaches the sockets of all nodes, each once") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected();
    redis.join(a, "/", {"lobby"});
    redis.join(b, "/", {"lobby"});
    redis.join(b);
    redis.commands(a);
    CHECK(redis.node(a).in("/").emit("news", 1));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == all_sent);
    CHECK(redis.got(a) == lines{"0[\"news\",1]"});
    CHECK(redis.got(b) == lines{"0[\"news\",1]", "1[\"news\",1]"});
    CHECK(redis.node(a).to("lobby").emit("news", 2));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == lines{"PUBLISH socket.io#/#lobby#"});
    CHECK(redis.got(a) == lines{"0[\"news\",2]"});
    CHECK(redis.got(b) == lines{"0[\"news\",2]"});
    CHECK(redis.node(a).to("lobby").to("other").except("lobby").emit("news", 3));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == all_sent);
    CHECK(redis.got(a).empty());
    CHECK(redis.got(b).empty());
    CHECK(redis.node(a).counts().ignored == 0);
}

TEST_CASE("what an emitter publishes reaches the sockets of all nodes") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.join(a, "/", {"lobby"});
    cluster::emitter const io;
    auto const send = [&redis](result<cluster::publication> const& p) {
        REQUIRE(p);
        redis.publish(p->channel, p->message);
        redis.settle();
    };
    send(io.to("lobby").emit("news", 1));
    CHECK(redis.got(a) == lines{"0[\"news\",1]"});
    send(io.join({"more"}));
    send(io.to("more").emit("news", 2));
    CHECK(redis.got(a) == lines{"0[\"news\",2]"});
    send(io.server_side_emit("hello", 3));
    CHECK(redis.told(a) == lines{"event [\"hello\",3]"});
    send(io.disconnect());
    send(io.emit("news", 4));
    CHECK(redis.got(a).empty());
}

TEST_CASE("messages for rooms in which nobody here is are not even read") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.publish("socket.io#/#", "not MessagePack");
    CHECK(redis.node(a).counts().ignored == 0); // there is no socket at all
    redis.join(a, "/", {"lobby"});
    redis.publish("socket.io#/#other#", "not MessagePack");
    CHECK(redis.node(a).counts().ignored == 0);
    redis.publish("socket.io#/#lobby#", "not MessagePack");
    redis.publish("socket.io#/#", "not MessagePack");
    CHECK(redis.node(a).counts().ignored == 2);
}

TEST_CASE("messages that are too large are neither sent nor read") {
    cluster::node_options options;
    options.max_message = 100;
    fake_redis redis;
    auto const a = redis.add_connected(options);
    redis.join(a);
    redis.commands(a);
    std::string const large(100, 'x');
    CHECK(redis.node(a).in("/").emit("news", large).error().code == errc::message_too_large);
    CHECK(redis.node(a).in("/").to(large).fetch_sockets().error().code == errc::message_too_large);
    CHECK(redis.node(a).in("/").emit_with_ack(std::nullopt, "x", large).error().code == errc::message_too_large);
    CHECK(redis.node(a).request_count() == 0);
    redis.publish("socket.io#/#", cluster::emitter().emit("news", large)->message);
    redis.publish("socket.io-request#/#", cluster::emitter().server_side_emit("news", large)->message);
    redis.settle();
    CHECK(redis.commands(a).empty());
    CHECK(redis.got(a).empty());
    CHECK(redis.node(a).counts().ignored == 2);
}

//=== requests ===//

namespace {

// Two nodes: the first has a socket, the second has two.
struct one_and_two : fake_redis {
    static constexpr std::array<std::size_t, 2> nodes{0, 1};

    one_and_two() {
        for (std::size_t i = 0; i != nodes.size(); ++i) add_connected();
        for (std::size_t const n : {nodes[0], nodes[1], nodes[1]}) join(n);
        for (std::size_t const n : nodes) commands(n);
    }
};

} // namespace

TEST_CASE("a request is published once Redis has said that there are other nodes") {
    auto const [a, b] = one_and_two::nodes;
    one_and_two redis;
    CHECK(redis.node(a).in("/").fetch_sockets());
    redis.settle();
    CHECK(outlined(redis.commands(a)) == asked_first);
    CHECK(redis.told(a) == lines{"sockets 1", "sockets 2", "complete 1/1"});
    CHECK(outlined(redis.commands(b)) == lines{"PUBLISH socket.io-response#/#"});
}

TEST_CASE("a node that is alone publishes no request") {
    fake_redis redis;
    auto const a = redis.add_connected();
    CHECK(redis.node(a).in("/").fetch_sockets());
    CHECK(redis.node(a).server_side_emit_with_ack("/", std::nullopt, "x"));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == lines{asked_first[0], asked_first[0]});
    CHECK(redis.told(a) == lines{"sockets 0", "complete 0/0", "complete 0/0"});
}

TEST_CASE("other nodes reply to a server-side event") {
    fake_redis redis;
    auto const a = redis.add_connected();
    for (int i = 0; i != 2; ++i) redis.add_connected();
    redis.on_event = [](fake_redis::member& m, cluster::event& e) {
        if (e.reply) CHECK(m.node.reply(e.reply, *e.get<int>() + 1));
    };
    CHECK(redis.node(a).server_side_emit("/", "x", 1));
    CHECK(redis.node(a).server_side_emit_with_ack("/", std::nullopt, "ask", 1));
    redis.settle();
    CHECK(redis.told(a) == lines{"reply 2", "reply 2", "complete 2/2"});
    CHECK(redis.told(1) == lines{"event [\"x\",1]", "event [\"ask\",1]"});
}

TEST_CASE("a broadcast that asks for acknowledgements is published at once, and Redis is asked beside it") {
    auto const [a, b] = one_and_two::nodes;
    one_and_two redis;
    CHECK(redis.node(a).in("/").emit_with_ack(std::nullopt, "ask", 1));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == lines{asked_first[1], asked_first[0]});
    CHECK(outlined(redis.commands(b)) == lines(3, "PUBLISH socket.io-response#/#"));
    auto told = redis.told(a);
    CHECK(told.back() == "complete 3/3");
    told.pop_back();
    CHECK(told == lines(3, "ack \"ok\""));
}

TEST_CASE("answers go to the channel of the node that has asked, if the option says so") {
    cluster::redis_options options;
    options.publish_on_specific_response_channel = true;
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected({}, options);
    redis.on_event = [](fake_redis::member& m, cluster::event& e) {
        if (e.reply) CHECK(m.node.reply(e.reply, 1));
    };
    CHECK(redis.node(a).in("/").fetch_sockets());
    CHECK(redis.node(a).server_side_emit_with_ack("/", std::nullopt, "ask"));
    CHECK(redis.node(a).in("/").emit_with_ack(std::nullopt, "ask"));
    redis.settle();
    auto const to_a = "PUBLISH " + own_channel(redis, a);
    auto commands = outlined(redis.commands(b));
    std::ranges::sort(commands);
    CHECK(commands == lines{"PUBLISH socket.io-response#/#", to_a, to_a});
    auto told = redis.told(a);
    CHECK(std::ranges::count(told, "complete 1/1") == 2);
    CHECK(std::ranges::count(told, "complete 0/0") == 1);
}

TEST_CASE("a request in a namespace in which the node takes no part waits until it hears the answers") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected();
    redis.join(b, "/chat");
    redis.members[a]->confirms = false;
    CHECK(redis.node(a).in("/chat").fetch_sockets(1s));
    redis.settle();
    CHECK(redis.commands(a) == subscribing(redis, a, "/chat"));
    auto const subscribed = subscribing(redis, a, "/chat");
    for (auto const& c : subscribed[1])
        if (c != "SUBSCRIBE") redis.push(a, {"subscribe", c, "1"});
    redis.push(a, {"psubscribe", "socket.io#/chat#*", "1"});
    redis.settle();
    CHECK(redis.told(a) == lines{"sockets 0", "sockets 1", "complete 1/1"});
    CHECK(outlined(redis.commands(a)) == lines{"PUBSUB socket.io-request#/chat#", "PUBLISH socket.io-request#/chat#"});
    // Some time later it is no longer interested.
    redis.pass(a, 1s);
    CHECK(redis.commands(a) == subscribing(redis, a, "/chat", "UN"));
    CHECK_FALSE(redis.node(a).poll_timeout());
}

TEST_CASE("the last socket of a namespace takes no answers with it") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected();
    redis.join(b, "/chat");
    auto const socket = redis.join(a, "/chat");
    CHECK(redis.node(a).in("/chat").fetch_sockets(1s));
    redis.members[a]->world.server.disconnect(socket);
    redis.members[a]->world.settle();
    redis.node(a).handle_timeout(redis.now(a));
    redis.settle();
    CHECK(redis.told(a) == lines{"sockets 1", "sockets 1", "complete 1/1"});
    redis.commands(a);
    redis.pass(a, 1s);
    CHECK(redis.commands(a) == subscribing(redis, a, "/chat", "UN"));
}

TEST_CASE("if Redis does not tell how many nodes there are, a request is published and ends by its deadline") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const b = redis.add_connected();
    redis.join(b);
    redis.members[a]->error = "ERR unknown command";
    CHECK(redis.node(a).in("/").fetch_sockets(1s));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == asked_first);
    redis.pass(a, 1s);
    CHECK(std::ranges::count(redis.told(a), "complete 0/0 not whole") == 1);
}

TEST_CASE("a node counts the others by what Redis says, and asks none of them") {
    fake_redis redis;
    auto const a = redis.add_connected();
    for (int i = 0; i != 2; ++i) redis.join(redis.add_connected(), "/chat");
    CHECK(redis.node(a).count_nodes());
    CHECK(redis.node(a).count_nodes("/chat")); // where it takes part as long as it counts
    redis.settle();
    CHECK(redis.told(a) == lines{"complete 0/2", "complete 0/2"});
    for (words const& c : redis.commands(a)) CHECK(c[0] != "PUBLISH");
    CHECK(redis.node(a).request_count() == 0);
}

TEST_CASE("nodes that Redis does not count are not counted, and the question ends by its deadline") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.members[a]->error = "ERR unknown command";
    CHECK(redis.node(a).count_nodes("/", 1s));
    redis.settle();
    CHECK(redis.told(a).empty());
    redis.pass(a, 1s);
    CHECK(redis.told(a) == lines{"complete 0/0 not whole"});
    CHECK(redis.node(a).request_count() == 0);
}

TEST_CASE("a request for which Redis promises more nodes than there can be ends by its deadline") {
    fake_redis redis;
    auto const a = redis.add_connected();
    for (auto const count : {std::int64_t{1} << 53, std::numeric_limits<std::int64_t>::max()}) {
        auto const number = redis.node(a).server_side_emit_with_ack("/", 1s, "ask");
        CHECK(number);
        auto const command = redis.node(a).poll_transmit();
        REQUIRE(command);
        reply_count(redis, a, command->token, count);
        redis.settle();
        CHECK(redis.told(a).empty());
        redis.pass(a, 1s);
        CHECK(redis.told(a) == lines{"complete 0/" + std::to_string(count - 1) + " not whole"});
    }
    CHECK(redis.node(a).request_count() == 0);
}

TEST_CASE("requests of older adapters for one socket are answered by the node that has it") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const socket = redis.join(a);
    auto const sid = std::string(redis.members[a]->world.server.sid(socket));
    redis.commands(a);
    auto const ask = [&](std::string const& rest, std::string const& whose) {
        redis.publish("socket.io-request#/#", R"({"uid":"older","requestId":"r","sid":")" + whose + "\"," + rest + "}");
        redis.settle();
        return redis.commands(a);
    };
    std::vector<words> const done{{"PUBLISH", "socket.io-response#/#", R"({"requestId":"r"})"}};
    CHECK(ask(R"("type":2,"room":"x")", sid) == done);
    CHECK(redis.node(a).to("x").emit("there"));
    redis.settle();
    CHECK(redis.got(a) == lines{"0[\"there\"]"});
    redis.commands(a);
    CHECK(ask(R"("type":3,"room":"x")", sid) == done);
    CHECK(ask(R"("type":3,"room":"x")", "nobody").empty());
    CHECK(ask(R"("type":4,"close":true)", sid) == done);
    CHECK(ask(R"("type":4,"close":true)", sid).empty());
    CHECK(redis.node(a).counts().ignored == 0);
}

TEST_CASE("other servers may ask which rooms there are, and which sockets are in some") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const socket = redis.join(a);
    auto& server = redis.members[a]->world.server;
    std::string const sid(server.sid(socket));
    server.join(socket, "x");
    redis.commands(a);
    auto const ask = [&](std::string const& rest) {
        redis.publish("socket.io-request#/#", R"({"uid":"npm","requestId":"r",)" + rest + "}");
        redis.settle();
        return redis.commands(a);
    };
    auto const answer = [](std::string const& list) {
        return std::vector<words>{{"PUBLISH", "socket.io-response#/#", R"({"requestId":"r",)" + list + "}"}};
    };
    CHECK(ask(R"("type":1)") == answer(R"("rooms":["x",")" + sid + "\"]"));
    CHECK(ask(R"("type":0,"rooms":["x","y"])") == answer(R"("sockets":[")" + sid + "\"]"));
    CHECK(ask(R"("type":0,"rooms":["y"])") == answer(R"("sockets":[])"));
    CHECK(ask(R"("type":0,"rooms":"y")").empty());
    CHECK(ask(R"("type":10)").empty());
    CHECK(redis.node(a).counts().ignored == 2);
}

TEST_CASE("a room whose name is no text does not keep the others from who asks which rooms there are") {
    fake_redis redis;
    auto const a = redis.add_connected();
    auto const sid = std::string(redis.members[a]->world.server.sid(redis.join(a, "/", {"\xff", "x"})));
    redis.commands(a);
    redis.publish("socket.io-request#/#", R"({"requestId":"r","type":1})");
    redis.settle();
    CHECK(redis.commands(a) == std::vector<words>{{"PUBLISH", "socket.io-response#/#",
                                                   R"({"requestId":"r","rooms":["x",")" + sid + "\"]}"}});
}

TEST_CASE("what a request keeps is forgotten when the request ends, whatever Redis says") {
    cluster::node_options options;
    options.max_queued = 20'000;
    fake_redis redis;
    auto const a = redis.add_connected(options);
    redis.members[a]->replies = false;
    for (int i = 0; i != 10; ++i) {
        CHECK(redis.node(a).server_side_emit_with_ack("/", 1s, "large", std::string(10'000, 'x')));
        redis.settle();
        redis.pass(a, 1s);
    }
    CHECK(redis.node(a).request_count() == 0);
    CHECK(redis.node(a).in("/").emit("large", std::string(15'000, 'x')));
    redis.settle();
    CHECK(redis.node(a).counts().dropped == 0);
}

TEST_CASE("questions of requests that have ended take up no room while Redis is lost") {
    cluster::node_options options;
    options.max_queued = 20'000;
    cluster::redis_options kept;
    kept.when_lost = redis_fate::keep;
    fake_redis redis;
    auto const a = redis.add_connected(options, kept);
    CHECK(redis.node(a).in("/").fetch_sockets(10s)); // it waits for the next poll
    redis.lose(a, redis_connection::commands);
    for (int i = 0; i != 200; ++i) {
        CHECK(redis.node(a).in("/").fetch_sockets(1s));
        redis.pass(a, 1s);
    }
    CHECK(redis.node(a).in("/").emit("large", std::string(10'000, 'x')));
    CHECK(redis.node(a).in("/").fetch_sockets(1s));
    redis.settle();
    CHECK(redis.node(a).counts().dropped == 0);
    redis.node(a).connected(redis_connection::commands, redis.now(a));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == lines{all_sent[0], asked_first[0]});
    CHECK(redis.told(a).back() == "complete 0/0");
}

TEST_CASE("the time of a request begins when the application asks, however long nothing came for the node") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.add_connected();
    redis.members[a]->replies = false;
    redis.members[a]->world.pass(60s); // only the server hears of it
    CHECK(redis.node(a).in("/").fetch_sockets(5s));
    CHECK((redis.node(a).poll_timeout() == redis.now(a) + 5s));
    redis.node(a).handle_timeout(redis.now(a));
    CHECK(redis.node(a).request_count() == 1);
    redis.pass(a, 5s);
    CHECK(redis.node(a).request_count() == 0);
}

TEST_CASE("what comes for a socket whose connection is lost is kept for it, even if nobody else is there") {
    server_options server;
    server.recovery.emplace();
    fake_redis redis;
    auto const a = redis.add_connected({}, {}, server);
    auto const b = redis.add_connected();
    auto const socket = redis.join(a);
    redis.members[a]->world.server.join(socket, "room");
    CHECK(redis.node(b).in("/").emit("first")); // its client knows an offset from now on
    redis.settle();
    redis.got(a);
    redis.members[a]->world.cut(0);
    CHECK(redis.node(b).to("room").emit("missed"));
    redis.settle();
    redis.members[a]->world.mend(0);
    redis.pass(a, 10s);
    auto const got = redis.got(a);
    REQUIRE(got.size() == 1);
    CHECK(got.front().starts_with("0[\"missed\","));
}

//=== loss ===//

TEST_CASE("messages are dropped while Redis is lost, and that is told") {
    fake_redis redis;
    auto const a = redis.add();
    CHECK(redis.node(a).in("/").emit("news", 1));
    CHECK(redis.node(a).in("/").join("x"));
    CHECK(redis.node(a).in("/").fetch_sockets(1s));
    redis.settle();
    CHECK(redis.told(a) == lines{"sockets 0", "dropped 3"});
    CHECK(redis.node(a).counts().dropped == 3);
    redis.connect(a);
    redis.settle();
    CHECK(redis.commands(a) == subscribing(redis, a, "/"));
    redis.told(a);
    CHECK(redis.node(a).in("/").emit("news", 2)); // it waits for the next poll
    redis.lose(a, redis_connection::commands);
    redis.settle();
    CHECK(redis.told(a) == lines{"lost", "dropped 1"});
}

TEST_CASE("messages are kept while Redis is lost, if the option says so") {
    cluster::redis_options options;
    options.when_lost = redis_fate::keep;
    fake_redis redis;
    auto const a = redis.add({}, options);
    CHECK(redis.node(a).in("/").emit("news", 1));
    CHECK(redis.node(a).in("/").fetch_sockets(1s));
    redis.connect(a);
    redis.settle();
    CHECK(outlined(redis.commands(a)) ==
          lines{"PSUBSCRIBE socket.io#/#*", "SUBSCRIBE socket.io-request#/#", all_sent[0], asked_first[0]});
    CHECK(redis.node(a).in("/").emit("news", 2));
    redis.lose(a, redis_connection::commands);
    CHECK(redis.node(a).in("/").emit("news", 3));
    redis.node(a).connected(redis_connection::commands, redis.now(a));
    redis.settle();
    CHECK(outlined(redis.commands(a)) == lines{all_sent[0], all_sent[0]});
    CHECK(redis.node(a).counts().dropped == 0);
}

TEST_CASE("what waits for Redis is bounded") {
    cluster::node_options options;
    options.max_queued = 2'000;
    cluster::redis_options kept;
    kept.when_lost = redis_fate::keep;
    fake_redis redis;
    auto const a = redis.add(options, kept);
    for (int i = 0; i != 100; ++i) CHECK(redis.node(a).in("/").emit("news", i));
    for (int i = 0; i != 100; ++i) CHECK(redis.node(a).in("/").fetch_sockets(1s));
    auto const dropped = redis.node(a).counts().dropped;
    CHECK(dropped > 150);
    redis.connect(a);
    redis.settle();
    CHECK(redis.commands(a).size() < 20);
    for (int i = 0; i != 5; ++i) {
        CHECK(redis.node(a).in("/").emit("news", i));
        redis.settle();
    }
    CHECK(redis.node(a).counts().dropped == dropped);
}

TEST_CASE("requests of which Redis says nothing are bounded, and forgotten with the connection") {
    cluster::node_options options;
    options.max_requests = 3;
    fake_redis redis;
    auto const a = redis.add_connected(options);
    redis.members[a]->replies = false;
    for (int round = 0; round != 5; ++round) {
        for (int i = 0; i != 3; ++i) CHECK(redis.node(a).in("/").fetch_sockets(1s));
        CHECK(redis.node(a).in("/").fetch_sockets(1s).error().code == errc::too_many_requests);
        redis.settle();
        redis.pass(a, 1s);
    }
    CHECK(redis.node(a).counts().dropped == 0);
    for (int i = 0; i != 3; ++i) CHECK(redis.node(a).in("/").fetch_sockets(1s));
    redis.settle();
    redis.lose(a, redis_connection::commands);
    CHECK(redis.node(a).counts().dropped == 3);
    redis.lose(a, redis_connection::commands);
    CHECK(redis.node(a).counts().dropped == 3);
}

TEST_CASE("a PUBLISH that fails counts as dropped") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.members[a]->error = "NOPERM";
    CHECK(redis.node(a).in("/").emit("news", 1));
    redis.settle();
    CHECK(redis.told(a) == lines{"dropped 1"});
}

//=== what may come ===//

TEST_CASE("replies and pushes of any shape do no harm") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis_reply const nil;
    redis_reply const number{.type = redis_reply::kind::integer, .text = {}, .integer = -1, .elements = {}};
    redis_reply const failed{.type = redis_reply::kind::error, .text = "ERR", .elements = {}};
    redis_reply const text{.type = redis_reply::kind::text, .text = "message", .elements = {}};
    redis_reply const several[] = {text, nil, number, failed, text, text};
    for (std::size_t size = 0; size <= 6; ++size) {
        redis_reply const array{
            .type = redis_reply::kind::array, .text = {}, .elements = std::span(several).first(size)};
        redis.node(a).pushed(array, redis.now(a));
        for (std::uint64_t token = 0; token != 20; ++token) redis.node(a).replied(token, array, redis.now(a));
    }
    for (auto const* const r : {&nil, &number, &failed, &text}) {
        redis.node(a).pushed(*r, redis.now(a));
        for (std::uint64_t token = 0; token != 20; ++token) redis.node(a).replied(token, *r, redis.now(a));
    }
    for (auto const* const what : {"message", "pmessage", "subscribe", "psubscribe", "unsubscribe", "x", ""})
        for (auto const* const channel :
             {"", "#", "*", "socket.io", "socket.io#/#*", "socket.io#/#", "socket.io-request#", "socket.io-request##",
              "socket.io-response#/#", "socket.io-response#"}) {
            redis.push(a, {what, channel});
            redis.push(a, {what, channel, ""});
            redis.push(a, {what, channel, channel, ""});
        }
    redis.settle();
    CHECK(redis.told(a).empty());
    CHECK(redis.node(a).counts().dropped == 0);
}

TEST_CASE("each reply to a request counts once, and late") {
    fake_redis redis;
    auto const a = redis.add_connected();
    CHECK(redis.node(a).in("/").fetch_sockets(1s));
    auto const command = redis.node(a).poll_transmit();
    REQUIRE(command);
    auto const token = command->token;
    CHECK_FALSE(redis.node(a).poll_transmit());
    redis.pass(a, 1s);
    redis.commands(a);
    reply_count(redis, a, token, 2); // its time has run out
    reply_count(redis, a, token, 2);
    redis.settle();
    CHECK(redis.commands(a).empty());
}

TEST_CASE("whatever is published on the channels of a node, it goes on") {
    fake_redis redis;
    auto const a = redis.add_connected();
    redis.join(a);
    support::for_each_redis_line([&](support::redis_line const& line) {
        auto const channel = line.text("channel");
        if (line.bytes().size() > 120 || line.text("name").find("disconnect") != std::string::npos) return;
        support::for_each_prefix(line.bytes(), [&](std::string_view bytes) { redis.publish(channel, bytes); });
        for (std::size_t i = 0; i != line.bytes().size(); ++i) {
            auto bytes = line.bytes();
            for (char const c : {'\0', '\x7f', '\xff', '9'}) {
                bytes[i] = c;
                redis.publish(channel, bytes);
            }
        }
        redis.settle();
    });
    redis.got(a);
    redis.told(a);
    redis.join(a, "/", {"still here"});
    redis.publish("socket.io#/#still here#", cluster::emitter().to("still here").emit("x")->message);
    redis.settle();
    CHECK(redis.got(a) == lines{"1[\"x\"]"});
}

} // namespace cluster_redis_node_test
