// A program of a user: proves that the library is found, compiles without a warning at any level, and works.
#include "memory.hpp"

#include <socketless/socketless.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace socketless;
using socketio::event_type;

namespace {

struct point {
    int x = 0;
    double y = 0;
};

void write_json(json::writer& w, point const& p) {
    w.value(json::object("x", p.x, "y", p.y));
}

result<void> read_json(json::text t, point& p) {
    auto const x = t.find("x");
    auto const y = t.find("y");
    if (!x || !y) return error{errc::wrong_kind};
    auto const x_read = x->get<int>();
    if (!x_read) return x_read.error();
    auto const y_read = y->get<double>();
    if (!y_read) return y_read.error();
    p = {*x_read, *y_read};
    return {};
}

int failures = 0;

void expect(bool is_true, char const* what) {
    if (is_true) return;
    std::printf("not so: %s\n", what);
    ++failures;
}

void codec() {
    auto const packet = engineio::decode({frame_kind::text, "4hello"});
    expect(packet && packet->data == "hello", "an Engine.IO packet is decoded");

    std::string text;
    attachment_list attachments;
    std::byte const picture[] = {std::byte{1}, std::byte{2}};
    auto const size = socketio::encode_event(text, attachments, {.nsp = "/admin", .id = 18}, "picture", 1.5, picture,
                                             json::object("name", "x.png", "tags", std::vector<int>{1, 2}));
    expect(size && attachments.size() == 1, "an event is encoded");
    auto const event = socketio::decode(text);
    expect(event && event->id == 18, "and decoded");
    if (!event) return;
    auto const args = socketio::arguments(*event).get<double, json::text, json::text>();
    expect(args && std::get<0>(*args) == 1.5, "with its arguments");
}

void values() {
    auto const packet = socketio::decode(R"(2["all",1,"two",[3,4],{"x":5,"y":6.5},null,true,{"k":[7]}])");
    expect(packet.has_value(), "a packet with values of all kinds is decoded");
    if (!packet) return;
    socketio::arguments const args(*packet);
    auto const some = args.get<int, std::string, std::vector<int>>();
    expect(some && std::get<1>(*some) == "two" && std::get<2>(*some).size() == 2, "the first arguments are read");
    auto const all = args.get<std::int64_t, std::string, std::vector<double>, point, std::optional<int>, bool,
                              std::map<std::string, std::vector<unsigned>>>();
    expect(all && std::get<3>(*all).x == 5 && !std::get<4>(*all) && std::get<5>(*all), "all arguments are read");
    expect(!args.get<std::string>(), "an argument of another type is an error");
    expect(!args.get<std::vector<std::string>, int>(), "so is an array");

    std::string out;
    auto const list = json::validate(R"([1,[true,null],"a\nb"])");
    auto const items = list ? list->get<std::vector<json::text>>() : list.error();
    expect(items && items->size() == 3, "an array is read as texts");
    expect(json::write(out, std::map<std::string, int>{{"a", 1}}).has_value() && out == R"({"a":1})",
           "a map is written");
}

constexpr socketio::typed_event<std::string, int> scored{"scored"};

void session() {
    consumer::memory network;
    server& io = network.server;
    client& mine = network.client;

    std::vector<std::string> seen;
    socketio::dispatcher of_server;
    of_server.on(event_type::connected, [&](socketio::event& e) {
        io.join(e.socket, "lobby");
        io.emit(e.socket, "hello", "welcome", io.socket_count(), point{1, 2.5}).ignore();
    });
    of_server.on("say", [&](socketio::event& e) {
        auto const text = e.get<std::string>();
        if (text) io.to("lobby").emit("said", *text, std::array<int, 2>{1, 2}).ignore();
        if (e.ack) io.acknowledge(e.ack, text ? "ok" : message(text.error().code)).ignore();
    });
    of_server.on(scored,
                 [&](std::string const& player, int points) { seen.push_back(player + std::to_string(points)); });

    auto const lobby = mine.connect("/", json::object("token", "abc"));
    expect(lobby.has_value(), "the client connects");
    if (!lobby) return;
    auto const on_event = [&](socketio::event& e) {
        if (e.type == event_type::event) {
            seen.push_back(e.name().str());
            if (e.name() == "hello") {
                auto const args = e.get<std::string, int, point>();
                expect(args && std::get<1>(*args) == 1 && std::get<2>(*args).y == 2.5, "hello has its arguments");
            }
        } else if (e.type == event_type::ack) {
            auto const answer = e.get<std::string>();
            if (answer) seen.push_back(*answer);
        }
    };
    auto const run = [&] { network.run([&](socketio::event& e) { of_server.dispatch(e); }, on_event); };
    run();
    mine.emit_with_ack(*lobby, std::chrono::seconds(5), "say", "a \"quoted\"\nword").ignore();
    mine.emit(*lobby, scored, "Ada", 3).ignore();
    run();
    expect(seen == std::vector<std::string>{"hello", "Ada3", "said", "ok"}, "the events come in their order");
    mine.close();
    run();
    expect(io.socket_count() == 0, "the server sees that the client leaves");
}

} // namespace

int main() {
    codec();
    values();
    session();
    if (failures == 0) std::puts("all as it must be");
    return failures == 0 ? 0 : 1;
}
