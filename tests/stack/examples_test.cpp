// The first examples of Socket.IO's documentation, in C++: each test is a small application, and shows one thing.
//
// `stage` stands for the surroundings of a program: a server, some clients and a network between them, in memory. `io`
// and `client.on` are dispatchers, which call handlers as the loop of the README polls events; a program may as well
// switch over `e.type` by itself. Time passes when a test says so.

#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/dispatcher.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace stack_examples_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::event;
using socketio::event_type;
using socketio::socket_handle;

namespace {

// The examples take the value of a result, which must be good.
template <class T>
T must(result<T> r) {
    REQUIRE(r.has_value());
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

// Functions that are called with the acknowledgement that they wait for: socket.emit(..., callback) of Socket.IO.
class callbacks {
public:
    void operator()(result<std::uint64_t> id, std::function<void(event&)> f) { waiting_[must(id)] = std::move(f); }
    void call(event& e) {
        if (auto const found = waiting_.extract(e.id)) found.mapped()(e);
    }
    [[nodiscard]] bool empty() const { return waiting_.empty(); }

private:
    std::map<std::uint64_t, std::function<void(event&)>> waiting_;
};

struct stage {
    // A client with its handlers.
    struct actor {
        socketless::client* client;
        socketio::dispatcher on;
        callbacks then;

        socketless::client* operator->() const { return client; }
    };

    explicit stage(server_options options = {}) : net(std::move(options)), server(net.server) {
        net.on_server_event = [this](event& e) {
            (e.nsp == "/admin" ? admin : io).dispatch(e);
            if (e.type == event_type::ack) then.call(e);
        };
        net.on_client_event = [this](std::size_t i, event& e) {
            actors[i].on.dispatch(e);
            if (e.type == event_type::ack) actors[i].then.call(e);
        };
    }

    actor& add_client(client_options options = {}) {
        net.add(std::move(options));
        return actors.emplace_back(actor{&net.client(net.peers.size() - 1), {}, {}});
    }

    void pass(milliseconds how_long) { net.pass(how_long); }

    support::stacks net;
    std::deque<actor> actors;
    socketless::server& server;
    socketio::dispatcher io;    // handlers for "/"
    socketio::dispatcher admin; // and for "/admin"
    callbacks then;
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("example: a server says hello each second, and a client hey", "[examples]") {
    stage s;
    auto& client = s.add_client();
    std::vector<int> hellos;
    std::vector<int> heys;

    // The server.
    s.io.on("hey", [&](event& e) {
        auto const data = e.get<json::text>().value_or(json::text());
        if (auto const counter = data.find("counter")) heys.push_back(counter->get<int>().value_or(0));
    });

    // The client.
    client.on.on("hello", [&](event& e) { hellos.push_back(e.get<int>().value_or(0)); });
    auto const socket = must(client->connect());

    for (int second = 1; second <= 3; ++second) {
        s.pass(1s);
        must(s.server.in("/").emit("hello", second));
        must(client->emit(socket, "hey", json::object("counter", second)));
    }
    s.pass(1s);

    CHECK(hellos == std::vector{1, 2, 3});
    CHECK(heys == std::vector{1, 2, 3});
}

TEST_CASE("example: arguments are text, numbers, objects and bytes, as many as you like", "[examples]") {
    stage s;
    auto& client = s.add_client();
    int seen = 0;

    s.io.on("salutations", [&](event& e) {
        auto const args = e.get<std::string, json::text, byte_view>();
        REQUIRE(args.has_value());
        auto const& [greeting, whom, bytes] = *args;
        CHECK(greeting == "Hello!");
        CHECK(whom.find("mr").value().equals("john"));
        CHECK(as_characters(bytes) == "\x01\x02\x03\x04");
        ++seen;
    });

    auto const socket = must(client->connect());
    constexpr std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    must(client->emit(socket, "salutations", "Hello!", json::object("mr", "john"), bytes));
    s.pass(1s);

    CHECK(seen == 1);
}

TEST_CASE(
    "example: an event that declares its arguments is checked by the compiler where it is sent, and when it arrives",
    "[examples]") {
    static constexpr socketio::typed_event<int, std::string> moved{"moved"};
    stage s;
    auto& client = s.add_client();
    texts seen;

    s.io.on(moved, [&](int steps, std::string_view direction) {
        seen.push_back(std::to_string(steps) + " " + std::string(direction));
    });
    s.io.on_mismatch([&](event&, error) { seen.push_back("not like that"); });

    auto const socket = must(client->connect());
    must(client->emit(socket, moved, 3, "north"));
    must(client->emit(socket, "moved", "north", 3)); // a client that knows nothing of the declaration
    s.pass(1s);

    CHECK(seen == texts{"3 north", "not like that"});
}

TEST_CASE("example: a client asks and the server answers, and the other way round", "[examples]") {
    stage s;
    auto& client = s.add_client();
    texts log;

    s.io.on("update item", [&](event& e) {
        auto const args = e.get<std::string, json::text>();
        REQUIRE(args.has_value());
        log.push_back("update " + std::get<0>(*args));
        must(s.server.acknowledge(e.ack, json::object("status", "ok")));
    });
    s.io.on(event_type::connected, [&](event& e) {
        s.then(s.server.emit_with_ack(e.socket, 5s, "who are you?"),
               [&](event& answer) { log.push_back("it is " + answer.get<std::string>().value_or("nobody")); });
    });

    client.on.on("who are you?", [&](event& e) { must(client->acknowledge(e.ack, "a test")); });
    auto const socket = must(client->connect());
    client.then(client->emit_with_ack(socket, 5s, "update item", "1", json::object("name", "updated")),
                [&](event& answer) {
                    CHECK(answer.outcome == socketio::ack_outcome::answered);
                    log.push_back("answer " + std::string((*answer.args().begin()).json().raw()));
                });
    s.pass(1s);

    CHECK(log == texts{"update 1", "it is a test", R"(answer {"status":"ok"})"});
    CHECK(s.then.empty());
    CHECK(client.then.empty());
}

TEST_CASE("example: a client that does not answer in time is not waited for", "[examples]") {
    stage s;
    auto& client = s.add_client();
    std::optional<socketio::ack_outcome> outcome;

    auto const socket = must(client->connect());
    client.then(client->emit_with_ack(socket, 5s, "are you there?"), [&](event& e) { outcome = e.outcome; });
    s.pass(4999ms);
    CHECK_FALSE(outcome.has_value());
    s.pass(1ms);
    CHECK(outcome == socketio::ack_outcome::timed_out);
}

TEST_CASE("example: namespaces share a connection and nothing else", "[examples]") {
    stage s;
    s.server.declare("/admin");
    auto& client = s.add_client();
    texts log;

    s.io.on(event_type::connected, [&](event&) { log.push_back("a user"); });
    s.io.on("delete everything", [&](event&) { log.push_back("not here"); });
    s.admin.on(event_type::connected, [&](event&) { log.push_back("an admin"); });
    s.admin.on("delete everything", [&](event&) { log.push_back("deleted"); });

    must(client->connect("/"));
    auto const admin = must(client->connect("/admin"));
    must(client->emit(admin, "delete everything"));
    s.pass(1s);

    CHECK(log == texts{"a user", "an admin", "deleted"});
    CHECK(s.server.connection_count() == 1); // connections
    CHECK(s.server.socket_count() == 2);     // sockets
}

TEST_CASE("example: rooms are lists of sockets that the server keeps", "[examples]") {
    stage s;
    texts log;
    for (std::string const name : {"alice", "bob", "carol"}) {
        auto& client = s.add_client();
        client.on.on("news",
                     [&log, name](event& e) { log.push_back(name + ": " + e.get<std::string>().value_or("")); });
        auto const socket = must(client->connect());
        if (name != "carol") must(client->emit(socket, "join", "readers"));
    }
    s.io.on("join", [&](event& e) { s.server.join(e.socket, e.get<std::string>().value_or("")); });
    s.pass(1s);

    CHECK(s.server.to("readers").emit("news", "for readers") == 2u);
    s.pass(1s);
    CHECK(log == texts{"alice: for readers", "bob: for readers"});

    // A client that disconnects leaves all rooms.
    s.actors[0]->close();
    s.pass(1s);
    CHECK(s.server.to("readers").emit("news", "again") == 1u);
    CHECK(s.server.to("nobody").emit("news", "unheard") == 0u);
}

TEST_CASE("example: broadcasting to everybody, to everybody else, and to one of them", "[examples]") {
    stage s;
    std::map<std::string, texts> heard;
    for (std::string const name : {"alice", "bob", "carol"}) {
        auto& client = s.add_client();
        client.on.on("chat", [&heard, name](event& e) { heard[name].push_back(e.get<std::string>().value_or("")); });
        must(client->connect());
    }
    s.io.on("say", [&](event& e) {
        auto const what = e.get<std::string>().value_or("");
        must(s.server.in("/").except(e.socket).emit("chat", what)); // socket.broadcast.emit
        must(s.server.emit(e.socket, "chat", "sent"));
    });
    s.io.on("tell", [&](event& e) {
        auto const args = e.get<std::string, std::string>();
        REQUIRE(args.has_value());
        auto const& [whom, what] = *args;
        must(s.server.to(whom).emit("chat", what)); // the id of a socket is a room that it is alone in
    });
    s.pass(1s);

    must(s.server.in("/").emit("chat", "welcome"));
    auto& alice = s.actors[0];
    socket_handle const root{0, 1};
    must(alice->emit(root, "say", "hello"));
    must(alice->emit(root, "tell", s.actors[2]->sid(root), "psst"));
    s.pass(1s);

    CHECK(heard["alice"] == texts{"welcome", "sent"});
    CHECK(heard["bob"] == texts{"welcome", "hello"});
    CHECK(heard["carol"] == texts{"welcome", "hello", "psst"});
}

TEST_CASE("example: asking everybody, and waiting for the last answer", "[examples]") {
    stage s;
    for (int i = 0; i != 3; ++i) {
        auto& client = s.add_client();
        if (i != 2) client.on.on("ready?", [&](event& e) { must(client->acknowledge(e.ack, "yes")); });
        must(client->connect());
    }
    std::string summary;
    s.io.on(event_type::acks_complete,
            [&](event& e) { summary = std::to_string(e.answers) + " of " + std::to_string(e.expected); });
    s.pass(1s);

    must(s.server.in("/").emit_with_ack(10s, "ready?"));
    s.pass(9s);
    CHECK(summary.empty());
    s.pass(1s);
    CHECK(summary == "2 of 3");
}

TEST_CASE("example: a server that asks for a token lets in whom it likes", "[examples]") {
    stage s;
    s.server.declare("/", admission::ask);
    texts log;

    // The server: io.use((socket, next) => ...) of Socket.IO. It may also answer later.
    s.io.on(event_type::connecting, [&](event& e) {
        if (e.data.find("token").value_or(json::text()).equals("secret"))
            must(s.server.accept(e.socket));
        else
            must(s.server.refuse(e.socket, "not authorized", json::object("content", "Please retry later")));
    });
    s.io.on(event_type::connected, [&](event&) { log.push_back("welcome"); });

    // A client that has forgotten its token, and finds it.
    auto& client = s.add_client();
    client.on.on(event_type::connect_error, [&](event& e) {
        log.push_back(e.message.get<std::string>().value_or("?"));
        log.push_back(e.data.find("content").value().get<std::string>().value_or("?"));
        must(client->connect("/", json::object("token", "secret")));
    });
    must(client->connect("/", json::object("token", "what was it?")));
    s.pass(1s);

    CHECK(log == texts{"not authorized", "Please retry later", "welcome"});
}

TEST_CASE("example: auth that expires is asked for each time the client connects", "[examples]") {
    stage s;
    s.server.declare("/", admission::ask);
    texts tokens;
    s.io.on(event_type::connecting, [&](event& e) {
        tokens.push_back(e.data.find("token").value().get<std::string>().value_or("?"));
        must(s.server.accept(e.socket));
    });

    auto& client = s.add_client();
    int issued = 0;
    client.on.on(event_type::connecting, [&](event& e) {
        must(client->authenticate(e.socket, json::object("token", "token " + std::to_string(++issued))));
    });
    must(client->connect("/", socketio::ask_for_auth));
    s.pass(1s);
    s.net.cut(0);
    s.net.mend(0);
    s.pass(5s);

    CHECK(tokens == texts{"token 1", "token 2"});
}

TEST_CASE("example: volatile events are for what is old when it is late", "[examples]") {
    stage s;
    auto& client = s.add_client();
    texts positions;
    s.io.on("position", [&](event& e) { positions.push_back(e.get<std::string>().value_or("")); });

    auto const socket = must(client->connect());
    CHECK(client->emit_volatile(socket, "position", "not connected yet") == error{errc::would_wait});
    s.pass(1s);
    CHECK(client->emit_volatile(socket, "position", "here").has_value());
    s.pass(1s);
    s.net.cut(0);
    CHECK(client->emit_volatile(socket, "position", "in the tunnel") == error{errc::would_wait});
    s.net.mend(0);
    s.pass(10s);
    CHECK(client->emit_volatile(socket, "position", "there").has_value());
    s.pass(1s);

    CHECK(positions == texts{"here", "there"});
}

TEST_CASE("example: a client comes back by itself, and sends then what it was told meanwhile", "[examples]") {
    stage s;
    auto& client = s.add_client();
    texts log;
    s.io.on("note", [&](event& e) { log.push_back(e.get<std::string>().value_or("")); });
    client.on.on(event_type::disconnected, [&](event& e) { log.push_back(std::string(name(e.reason))); });
    client.on.on(event_type::reconnecting, [&](event& e) { log.push_back("attempt " + std::to_string(e.attempt)); });

    auto const socket = must(client->connect());
    must(client->emit(socket, "note", "one"));
    s.pass(1s);
    s.net.cut(0);
    must(client->emit(socket, "note", "two"));
    s.net.mend(0);
    s.pass(10s);

    CHECK(log == texts{"one", "transport close", "attempt 1", "two"});
}

TEST_CASE("example: with recovery nothing is missed, and the server still knows who it is", "[examples]") {
    server_options options;
    options.recovery.emplace();
    stage s(options);
    s.io.on(event_type::connected, [&](event& e) {
        if (e.recovered) return; // its rooms and data are as they were
        s.server.join(e.socket, "readers");
        s.server.set_data(e.socket, std::make_shared<std::string>("alice"));
    });

    auto& client = s.add_client();
    texts news;
    client.on.on("news", [&](event& e) { news.push_back(e.get<std::string>().value_or("")); });
    auto const socket = must(client->connect());
    s.pass(1s);
    must(s.server.to("readers").emit("news", "one"));
    s.pass(1s);
    std::string const sid(client->sid(socket));
    s.net.cut(0);
    must(s.server.to("readers").emit("news", "two"));
    s.net.mend(0);
    s.pass(10s);

    CHECK(news == texts{"one", "two"});
    CHECK(client->sid(socket) == sid);
    auto const at_server = s.server.find("/", sid);
    REQUIRE(at_server.has_value());
    CHECK(*s.server.data<std::string>(*at_server) == "alice");
    CHECK(s.server.is_in(*at_server, "readers"));
}

TEST_CASE("example: either side can leave, and the other one hears why", "[examples]") {
    stage s;
    texts log;
    s.io.on(event_type::disconnected, [&](event& e) { log.push_back("server: " + std::string(name(e.reason))); });
    s.io.on("go away", [&](event& e) { s.server.disconnect(e.socket); });
    for (int i = 0; i != 2; ++i) {
        auto& client = s.add_client();
        client.on.on(event_type::disconnected,
                     [&](event& e) { log.push_back("client: " + std::string(name(e.reason))); });
        must(client->connect());
    }
    s.pass(1s);

    socket_handle const root{0, 1};
    s.actors[0]->disconnect(root);
    s.pass(1s);
    CHECK(log == texts{"client: io client disconnect", "server: client namespace disconnect"});

    log.clear();
    must(s.actors[1]->emit(root, "go away"));
    s.pass(60s); // neither comes back
    CHECK(log == texts{"server: server namespace disconnect", "client: io server disconnect"});
    CHECK(s.server.connection_count() == 0);
}

} // namespace stack_examples_test
