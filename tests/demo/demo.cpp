// demo: a chat over a server and two clients, all in this program and its memory. Prints each message as it would be on
// a wire, its meaning, and what the applications see; and checks it.
//
//     c++ -std=c++20 -I include -I tests tests/demo/demo.cpp -o demo && ./demo

#include "demo/chat.hpp"
#include "demo/inspector.hpp"
#include "demo/memory_network.hpp"
#include "demo/page.hpp"
#include "tools/random.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace demo;

// The same numbers, and so the same output, each time. Ids are secrets: a real program asks its operating system.
random_source random_of(std::uint64_t seed) {
    return [numbers = support::random_source(seed)](std::span<std::byte> bytes) mutable {
        for (std::byte& b : bytes) b = static_cast<std::byte>(numbers.byte());
    };
}

client_options options_of_client(std::vector<engineio::transport> transports) {
    client_options options;
    options.transports = std::move(transports);
    options.timestamp_param = ""; // it is for caches, and there are no caches here
    return options;
}

// Prints and remembers what happens and what the applications see.
class narrator {
public:
    explicit narrator(memory_network& network) : network_(network), page_(wants_colour(), columns) {
        network.on_happening = [this](happening h) { inspector_.show(happenings_.emplace_back(std::move(h))); };
        network.on_lost = [this](std::string const& client) { note(client, {style::bad, "✗ lost on the way"}); };
        page_.row({{style::strong, "A server and two clients, joined in memory"},
                   {style::dim, "  → to the server   ← to the client   • seen by an application"}});
        inspector_.show_titles();
    }

    void scene(std::string const& title) { page_.row({{style::strong, "--- " + title}}); }

    // The diary of the application with this name.
    [[nodiscard]] chat::diary diary_of(std::string const& name) {
        return [this, name](std::string const& seen) {
            diaries_[name].push_back(seen);
            note(name, {style::good, "• " + seen});
        };
    }

    // Checks that an application has seen this, in this order, and nothing else.
    void expect(std::string const& name, std::vector<std::string> const& diary) {
        if (diaries_[name] == diary) return;
        is_right_ = false;
        page_.row({{style::bad, name + " should have seen:"}});
        for (std::string const& line : diary) page_.row({{style::plain, "  " + line}});
    }

    // Prints and returns whether all was as expected and encodes to the same bytes again.
    [[nodiscard]] bool conclude(std::string const& claim) {
        page_.gap();
        is_right_ &= inspector_.conclude();
        auto const messages = std::to_string(inspector_.size()) + " messages, ";
        if (is_right_)
            page_.row({{style::good, messages + "all as the protocol wants: " + claim}});
        else
            page_.row({{style::bad, messages + "not all as the protocol wants"}});
        return is_right_;
    }

private:
    static constexpr std::size_t columns = 120;
    static constexpr layout rows{.client = 4, .over = 6, .raw = 38, .engineio = 9, .socketio = 13, .nsp = 0, .id = 13};

    void note(std::string const& name, word what) {
        auto const time = std::to_string(network_.elapsed().count());
        page_.row({{style::dim, std::string(rows.time - std::min(time.size(), rows.time), ' ') + time},
                   {style::strong, ' ' + name}},
                  {rows.over_column() + 1, rows.over_column() + 3}, {std::move(what)});
    }

    memory_network& network_;
    page page_;
    std::deque<happening> happenings_;
    inspector inspector_{page_, rows};
    std::map<std::string, std::vector<std::string>> diaries_;
    bool is_right_ = true;
};

// A client, its application, and its place at the network.
struct person {
    person(narrator& narrator, memory_network& network, std::string const& name, client_options options,
           std::uint64_t seed)
        : client(std::move(options), random_of(seed), network.now()),
          application(client, name, narrator.diary_of(name)), end(network, name, client, application) {}

    socketless::client client;
    chat::client_application application;
    memory_network::client_end end;
};

// A GIF of one pixel.
constexpr char dot[] = "GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
constexpr std::string_view dot_bytes(dot, sizeof dot - 1);

void play(narrator& narrator, memory_network& network, person& ada, person& bob) {
    using namespace std::chrono_literals;

    narrator.scene("Ada comes by long-polling, and moves to a WebSocket");
    ada.application.enter();
    network.pass(200ms);

    narrator.scene("Bob comes by WebSocket");
    bob.application.enter();
    network.pass(100ms);

    narrator.scene("Ada says something; Bob shows a picture, and is told how many have seen it");
    ada.application.say_to_all("hello, Bob");
    network.pass(50ms);
    bob.application.show_to_all("dot.gif", as_bytes(dot_bytes));
    network.pass(100ms);

    narrator.scene("Ada wants to join another namespace, on the same connection");
    ada.application.enter_admin("please");
    network.pass(50ms);
    ada.application.enter_admin("open sesame");
    network.pass(50ms);

    narrator.scene("Bob's connection breaks, and for a while the server does not know");
    bob.end.cut(100ms);
    ada.application.say_to_all("are you there?");
    network.pass(200ms);
    ada.application.say_to_all("Bob?");
    bob.application.say_to_all("here I am"); // kept until there is a connection
    network.pass(50ms);

    narrator.scene("He comes back, names the offset of the last event that he got, and gets what he missed");
    network.pass(2s);

    narrator.scene("Nobody says anything, but for the heartbeat");
    network.pass(25s);

    narrator.scene("Ada leaves");
    ada.application.leave();
    network.pass(100ms);
}

void check(narrator& narrator) {
    narrator.expect("ada", {"is connected", "is in the room, 1 in all", "has moved to a WebSocket",
                            "sees that bob has come", "sees bob's dot.gif, 35 bytes", "/admin refuses: \"wrong token\"",
                            "is let into /admin", "learns that 2 are in the room", "hears bob: here I am"});
    narrator.expect("bob", {"is connected", "is in the room, 2 in all", "hears ada: hello, Bob", "learns that 1 saw it",
                            "has lost the connection: transport close", "tries again to connect",
                            "is connected again, by the same id", "hears ada: are you there?", "hears ada: Bob?"});
    narrator.expect("chat", {"somebody with the wrong token asks for /admin",
                             "somebody with the right token asks for /admin", "bob is gone: transport close",
                             "bob is back in the room", "ada is gone: client namespace disconnect"});
}

} // namespace

int main() {
    using enum engineio::transport;

    memory_network network;
    narrator narrator(network);

    server server({.recovery = socketio::recovery_options{}}, random_of(1), network.now());
    chat::server_application application(server, narrator.diary_of("chat"));
    memory_network::server_end end(network, server, application);
    person ada(narrator, network, "ada", options_of_client({polling, websocket}), 2);
    person bob(narrator, network, "bob", options_of_client({websocket}), 3);

    play(narrator, network, ada, bob);
    check(narrator);
    bool const is_right = narrator.conclude("same bytes when encoded again, every ack came, what Bob missed came once");
    return is_right ? 0 : 1;
}
