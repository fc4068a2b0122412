#include "cluster/redis_capture.hpp"
#include "tools/catch.hpp"
#include "tools/hex.hpp"

#include <socketless/cluster/emitter.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster_emitter_test {

using namespace socketless;
using cluster::emitter;
using cluster::publication;

namespace {

// A recorded value, in which {"$binary": hex} stands for a binary one.
struct recorded {
    json::text value;

    friend void write_json(json::writer& out, recorded const& r) {
        if (r.value.is(json::kind::array)) {
            out.begin_array();
            for (auto const element : r.value.elements()) out.value(recorded{element});
            out.end_array();
        } else if (auto const hex = r.value.find("$binary")) {
            auto const bytes = support::from_hex(hex->get<std::string>().value()).value();
            out.binary(as_bytes(bytes)); // written at once, as MessagePack
        } else if (r.value.is(json::kind::object)) {
            out.begin_object();
            for (auto const m : r.value.members()) out.raw_key(m.key).value(recorded{m.value});
            out.end_object();
        } else {
            out.raw(r.value);
        }
    }
};

// The arguments behind the name.
struct recorded_args {
    json::text whole;

    friend void write_json(json::writer& out, recorded_args const& r) {
        auto i = r.whole.elements().begin();
        for (++i; i != std::default_sentinel; ++i) out.value(recorded{*i});
    }
};

result<publication> call(emitter const& io, json::text asked) {
    auto const name = asked.find("call")->get<std::string>().value();
    auto const others = asked.find("others").value_or(json::text()).get<std::vector<std::string>>();
    auto const args = recorded_args{asked.find("args").value_or(json::text())};
    auto const first = args.whole.elements();
    auto const event = first.empty() ? std::string() : (*first.begin()).get<std::string>().value();
    if (name == "emit") return io.emit(event, args);
    if (name == "emit_volatile") return io.emit_volatile(event, args);
    if (name == "server_side_emit") return io.server_side_emit(event, args);
    if (name == "join") return io.join(others.value());
    if (name == "leave") return io.leave(others.value());
    if (name == "disconnect") return io.disconnect();
    REQUIRE(name == "disconnect_connections");
    return io.disconnect_connections();
}

} // namespace

TEST_CASE("an emitter publishes byte for byte what the reference does") {
    std::size_t count = 0;
    support::for_each_redis_line([&count](support::redis_line const& line) {
        auto const asked = line.member("emitter");
        if (asked.empty()) return;
        INFO(line.text("name"));
        emitter io(asked.find("nsp")->get<std::string>().value(), asked.find("prefix")->get<std::string>().value());
        for (auto const room : asked.find("rooms")->elements()) io = io.to(room.get<std::string>().value());
        for (auto const room : asked.find("except")->elements()) io = io.except(room.get<std::string>().value());
        auto const published = call(io, asked);
        REQUIRE(published);
        CHECK(published->channel == line.text("channel"));
        CHECK(support::to_hex(published->message) == line.text("message_hex"));
        ++count;
    });
    CHECK(count == 17);
}

TEST_CASE("a publication is a command for Redis") {
    auto const p = emitter().to("lobby").emit("news");
    REQUIRE(p);
    CHECK(p->words() == std::array<std::string_view, 3>{"PUBLISH", "socket.io#/#lobby#", p->message});
}

TEST_CASE("an emitter with one more room leaves the first one as it was") {
    emitter const all;
    auto const some = all.to("a").to("b").to("a");
    CHECK(all.emit("x")->channel == "socket.io#/#");
    CHECK(all.to("a").emit("x")->channel == "socket.io#/#a#");
    CHECK(some.emit("x")->channel == "socket.io#/#");
    CHECK(some.emit("x")->message != all.emit("x")->message);
    CHECK(all.to("").emit("x")->channel == "socket.io#/##");
}

TEST_CASE("an emitter refuses what servers would refuse") {
    emitter const io;
    CHECK(io.emit("connect").error().code == errc::reserved_event_name);
    CHECK(io.emit_volatile("disconnecting").error().code == errc::reserved_event_name);
    CHECK(io.emit("x", "\xff").error().code == errc::invalid_utf8);
    CHECK(io.to("\xff").emit("x").error().code == errc::invalid_utf8);
    CHECK(io.to("\xff").disconnect().error().code == errc::invalid_utf8);
    CHECK(io.join({"\xff"}).error().code == errc::invalid_utf8);
    CHECK(emitter("/a,b").emit("x").error().code == errc::invalid_namespace);
    CHECK(emitter("/a,b").leave({"x"}).error().code == errc::invalid_namespace);
    CHECK(emitter("/\xff").disconnect().error().code == errc::invalid_utf8);
    CHECK(emitter("").emit("x")->channel == "socket.io#/#");
}

TEST_CASE("an event for the applications of servers is not one that a Namespace of Node emits itself") {
    emitter const io;
    for (auto const* const name : {"connect", "connection", "new_namespace"})
        CHECK(io.server_side_emit(name).error().code == errc::reserved_event_name);
    CHECK(io.server_side_emit("disconnect"));
    CHECK(io.server_side_emit("x", std::vector<std::byte>(2)).error().code == errc::unexpected_binary);
}

TEST_CASE("numbers that JSON has not are published as MessagePack has them") {
    auto const p = emitter().emit("x", 1e300, -0.0);
    REQUIRE(p);
    CHECK(support::to_hex(p->message).find("93a178cb7e37e43c8800759c00") != std::string::npos);
}

} // namespace cluster_emitter_test
