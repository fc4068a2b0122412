// What the library promises not to allocate. Replaces the global operator new to count, so it is a program of its own.

#include "support/catch.hpp"

#include <socketless/socketless.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace {

std::size_t allocations = 0;

// The calls of operator new while `f` runs.
template <class F>
std::size_t allocations_in(F const& f) {
    std::size_t const before = allocations;
    f();
    return allocations - before;
}

void* counted(std::size_t size) {
    ++allocations;
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    return memory;
}

} // namespace

void* operator new(std::size_t size) {
    return counted(size);
}
void* operator new[](std::size_t size) {
    return counted(size);
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    return counted(size);
}
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept {
    return counted(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

using namespace socketless;

TEST_CASE("the counter counts", "[allocation]") {
    CHECK(allocations_in([] { static_cast<void>(std::string(100, 'x')); }) == 1);
}

TEST_CASE("decoding a Socket.IO packet and reading its arguments does not allocate", "[allocation]") {
    std::string_view const wire =
        R"(52-/admin,17["update",{"id":123,"text":"l\u00e9","pos":[1.5,-2.25]},{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])";
    byte_view const attachments[2] = {};
    std::size_t seen = 0;
    CHECK(allocations_in([&] {
              auto const h = socketio::decode_header(wire);
              auto const p = socketio::decode(wire);
              if (!h || !p) return;
              for (socketio::argument const a : socketio::arguments(*p, attachments)) {
                  ++seen;
                  if (auto const id = a.json().find("id")) seen += id->get<std::size_t>().value_or(0);
                  if (auto const text = a.json().find("text"))
                      seen += static_cast<std::size_t>(text->equals("l\xc3\xa9"));
                  if (auto const pos = a.json().find("pos"))
                      for (json::text const x : pos->elements())
                          seen += static_cast<std::size_t>(x.get<double>().has_value());
              }
          }) == 0);
    CHECK(seen == 3 + 123 + 1 + 2);
}

TEST_CASE("reading the arguments of an event as the types they have does not allocate", "[allocation]") {
    auto const p = socketio::decode(R"(52-["update",1,"two",{"_placeholder":true,"num":1}])");
    byte_view const attachments[2] = {};
    bool good = p.has_value();
    CHECK(allocations_in([&] {
              socketio::arguments const args(*p, attachments);
              good = good && args.get<int, std::string_view, byte_view, std::optional<bool>>().has_value() &&
                     args.get<bool>().error().code == errc::wrong_kind;
          }) == 0);
    CHECK(good);
}

TEST_CASE("a refused packet does not allocate either", "[allocation]") {
    CHECK(allocations_in([] {
              for (std::string_view const wire : {"", "9", "5999-", "2[\"a\"", "3[]", "2[\"\xff\"]"})
                  static_cast<void>(socketio::decode(wire));
          }) == 0);
}

TEST_CASE("reading a long-polling body in place does not allocate", "[allocation]") {
    std::string v4 = "4hello\x1e"
                     "bAQIDBA==\x1e"
                     "2probe";
    std::string v3 = "6:4hello10:b4AQIDBA==";
    std::size_t packets = 0;
    CHECK(allocations_in([&] {
              engineio::payload_reader reader(v4);
              while (reader.next()) ++packets;
              engineio::payload_reader reader_v3(v3, engineio::payload_format::v3_text);
              while (reader_v3.next()) ++packets;
          }) == 0);
    CHECK(packets == 5);
}

TEST_CASE("handshakes and request targets are read without allocating", "[allocation]") {
    bool good = false;
    CHECK(allocations_in([&] {
              good = engineio::decode_handshake(
                         R"({"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})")
                         .has_value() &&
                     engineio::parse_request_target("/engine.io/?EIO=4&transport=polling&sid=x").has_value();
          }) == 0);
    CHECK(good);
}

TEST_CASE("a stream whose frames lie within its chunks is read without allocating", "[allocation]") {
    engineio::stream_reader reader(1000);
    std::size_t frames = 0;
    CHECK(allocations_in([&] {
              reader.push("\x06"
                          "4hello\x02"
                          "4a");
              while (reader.next()) ++frames;
          }) == 0);
    CHECK(frames == 2);
}

TEST_CASE("encoding into a buffer with room does not allocate", "[allocation]") {
    std::string out;
    out.reserve(10'000);
    attachment_list attachments;
    attachments.reserve(2);
    std::byte const bytes[3] = {};
    std::string const large(5'000, 'x');
    bool good = true;
    CHECK(allocations_in([&] {
              good = good && socketio::encode_event(out, attachments, {.nsp = "/admin", .id = 1}, "e", 1, 2.5,
                                                    byte_view(bytes), json::object("k", "v"))
                                 .has_value();
              out.clear();
              good = good && socketio::encode_event(out, {}, "large", large).has_value();
              good = good &&
                     engineio::encode(out, {engineio::packet_type::message, frame_kind::text, "hello"}).has_value();
          }) == 0);
    CHECK(good);
    char fixed[64];
    CHECK(allocations_in([&] { good = socketio::encode_event(std::span<char>(fixed), {}, "e", 1).has_value(); }) == 0);
    CHECK(good);
}

TEST_CASE("an empty string grows at most once while a packet is encoded into it", "[allocation]") {
    std::string const large(100'000, '"');
    std::string out;
    CHECK(allocations_in([&] { static_cast<void>(socketio::encode_event(out, {}, "e", large, 1, 2.5)); }) == 1);
    CHECK(out.size() > 200'000);
}

TEST_CASE("an assembler that reuses its memory does not allocate in the steady state", "[allocation]") {
    socketio::assembler assembler;
    auto const exchange = [&] {
        static_cast<void>(assembler.push({frame_kind::text, R"(52-["a",{"_placeholder":true,"num":0}])"}));
        assembler.retain();
        static_cast<void>(assembler.push({frame_kind::binary, "zero"}));
        assembler.retain();
        static_cast<void>(assembler.push({frame_kind::binary, "one"}));
    };
    exchange();
    exchange();
    CHECK(allocations_in(exchange) == 0);
}

namespace {

// A client and a server, joined by hand over one WebSocket.
struct joined_sessions {
    explicit joined_sessions(engineio::revision revision)
        : client({.transports = {engineio::transport::websocket}, .revision = revision}),
          server({.transports = {engineio::transport::websocket}, .allow_v3 = true}, [](std::span<std::byte>) {}) {
        buffer.reserve(1'000);
        client.open(now);
        run();
    }

    // Carries to the other side all that either has to send, until nothing is left.
    void run() {
        for (bool busy = true; busy;) {
            busy = false;
            while (auto const e = client.poll_event()) client_received += e->message.data.size();
            while (auto const e = server.poll_event()) {
                session = e->session;
                server_received += e->event.message.data.size();
            }
            if (auto const t = client.poll_transmit(buffer)) {
                busy = true;
                if (t->type == engineio::transmit_type::open_websocket) {
                    id = t->id;
                    server.websocket_opened(7, t->target, now);
                    client.channel_opened(id, now);
                } else {
                    server.websocket_received(7, t->data, now);
                }
            } else if (auto const answer = server.poll_transmit(buffer)) {
                busy = true;
                client.websocket_received(id, answer->data, now);
            }
        }
    }

    time_point now{};
    engineio::client_session client;
    engineio::server server;
    engineio::session_handle session;
    engineio::channel_id id = 0;
    std::size_t client_received = 0;
    std::size_t server_received = 0;
    std::string buffer;
};

} // namespace

TEST_CASE("a connected WebSocket session that sends and receives text does not allocate in the steady state",
          "[allocation]") {
    for (auto const revision : {engineio::revision::v4, engineio::revision::v3}) {
        joined_sessions joined(revision);
        REQUIRE(joined.client.is_open());
        auto const talk = [&joined] {
            for (int i = 0; i != 10; ++i) {
                static_cast<void>(joined.client.send({frame_kind::text, "2[\"to the server\",1]"}, joined.now));
                static_cast<void>(joined.server.send(joined.session, frame{frame_kind::text, "2[\"to the client\"]"}));
            }
            joined.run();
        };
        talk();
        std::size_t const before = joined.server_received;
        CHECK(allocations_in(talk) == 0);
        CHECK(joined.server_received - before == 10 * 20);
        CHECK(joined.client_received == 2 * 10 * 18);
    }
}

TEST_CASE("a heartbeat over a WebSocket does not allocate", "[allocation]") {
    for (auto const revision : {engineio::revision::v4, engineio::revision::v3}) {
        joined_sessions joined(revision);
        auto const beat = [&joined] {
            joined.now += std::chrono::seconds(25);
            joined.client.handle_timeout(joined.now);
            joined.server.handle_timeout(joined.now);
            joined.run();
        };
        beat();
        beat();
        CHECK(allocations_in(beat) == 0);
        CHECK(joined.client.is_open());
        CHECK(joined.server.find(joined.session) != nullptr);
    }
}
