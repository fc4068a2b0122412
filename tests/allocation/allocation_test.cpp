// The library's promises not to allocate, or only so much. Replaces the global operator new to count, so it is a
// program of its own.

#include "tools/catch.hpp"
#include "tools/chance.hpp"
#include "tools/memory.hpp"

#include <socketless/socketless.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::size_t allocations = 0;
std::size_t bytes_in_use = 0;

// The calls of operator new while `f` runs.
template <class F>
std::size_t allocations_in(F const& f) {
    std::size_t const before = allocations;
    f();
    return allocations - before;
}

// The size of each block stands before it.
constexpr std::size_t header = alignof(std::max_align_t);

void* counted(std::size_t size);

// Throws if it is this allocation's turn to fail.
void* counted_or_thrown(std::size_t size) {
#if defined(__cpp_exceptions)
    if (support::fate.take(support::chance::allocation)) throw std::bad_alloc();
#endif
    return counted(size);
}

void* counted(std::size_t size) {
    void* const memory = std::malloc(header + size);
    if (memory == nullptr) std::abort();
    std::memcpy(memory, &size, sizeof size);
    ++allocations;
    bytes_in_use += size;
    return static_cast<char*>(memory) + header;
}

void release(void* block) noexcept {
    if (block == nullptr) return;
    char* const memory = static_cast<char*>(block) - header;
    std::size_t size = 0;
    std::memcpy(&size, memory, sizeof size);
    bytes_in_use -= size;
    std::free(memory);
}

} // namespace

std::size_t support::memory_in_use() noexcept {
    return bytes_in_use;
}

std::size_t support::allocation_count() noexcept {
    return allocations;
}

void* operator new(std::size_t size) {
    return counted_or_thrown(size);
}
void* operator new[](std::size_t size) {
    return counted_or_thrown(size);
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    return counted(size);
}
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept {
    return counted(size);
}
void operator delete(void* block) noexcept {
    release(block);
}
void operator delete[](void* block) noexcept {
    release(block);
}
void operator delete(void* block, std::size_t) noexcept {
    release(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    release(block);
}

using namespace socketless;

TEST_CASE("the counter counts", "[allocation]") {
    CHECK(allocations_in([] { static_cast<void>(std::string(100, 'x')); }) == 1);
    std::size_t const before = bytes_in_use;
    auto const block = std::make_unique<char[]>(1'000);
    CHECK(bytes_in_use - before == 1'000);
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
              good = good && args.get<int, std::string, byte_view, std::optional<bool>>().has_value() &&
                     args.get<bool>().error().code == errc::wrong_kind;
          }) == 0);
    CHECK(good);
}

TEST_CASE("decoding a packet in MessagePack and reading its arguments does not allocate", "[allocation][msgpack]") {
    std::string message;
    auto const written = socketio::encode_msgpack_event(message, socketio::sender::client, {"/admin", 17}, "update",
                                                        json::object("id", 123, "pos", std::vector{1.5, -2.25}),
                                                        as_bytes("bytes"), std::vector<int>(100, 1));
    REQUIRE(written.has_value());
    std::size_t seen = 0;
    CHECK(allocations_in([&] {
              auto const p = socketio::decode_msgpack(message);
              if (!p) return;
              for (msgpack::value const v : p->data.elements()) {
                  ++seen;
                  if (auto const id = v.find("id")) seen += id->get<std::size_t>().value_or(0);
                  for (msgpack::value const element : v.elements()) seen += element.get<std::size_t>().value_or(0);
                  if (auto const bytes = v.binary()) seen += bytes->size();
              }
          }) == 0);
    CHECK(seen == 4 + 123 + 5 + 100);
    CHECK(allocations_in([&] {
              for (std::size_t size = 0; size != message.size(); ++size)
                  static_cast<void>(socketio::decode_msgpack(std::string_view(message).substr(0, size)));
              static_cast<void>(msgpack::validate("\xdd\xff\xff\xff\xff"));
          }) == 0);
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

TEST_CASE("an empty string at least doubles when it grows while a packet is encoded into it", "[allocation]") {
    std::string const large(100'000, '"');
    std::string out;
    CHECK(allocations_in([&] { static_cast<void>(socketio::encode_event(out, {}, "e", large, 1, 2.5)); }) <= 10);
    CHECK(out.size() > 200'000);
    std::string const small(40, 'x'); // more than strings hold in themselves
    std::string packet;
    CHECK(allocations_in([&] { static_cast<void>(socketio::encode_event(packet, {}, "e", small, 1, 2.5)); }) == 1);
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

// Carries a transmit of one side to the other, over one WebSocket, which the client calls `id`. False if there is none.
template <class Client, class Server>
bool carry(Client& client, Server& server, engineio::channel_id& id, time_point now, std::string& buffer) {
    if (auto const t = client.poll_transmit(buffer)) {
        if (t->type == engineio::transmit_type::open_websocket) {
            id = t->id;
            server.websocket_opened(7, t->target, now);
            client.channel_opened(id, now);
        } else {
            server.websocket_received(7, t->data, now);
        }
        return true;
    }
    auto const answer = server.poll_transmit(buffer);
    if (answer) client.websocket_received(id, answer->data, now);
    return answer.has_value();
}

// A client and a server, joined by hand over one WebSocket.
struct joined_sessions {
    explicit joined_sessions(engineio::revision revision)
        : client({.transports = {engineio::transport::websocket}, .revision = revision}),
          server({.transports = {engineio::transport::websocket}, .allow_v3 = true}, [](std::span<std::byte>) {}) {
        buffer.reserve(1'000);
        REQUIRE(client.open(now));
        run();
    }

    // Carries all transmits to the other side, until nothing is left.
    void run() {
        for (bool busy = true; busy;) {
            while (auto const e = client.poll_event()) client_received += e->message.data.size();
            while (auto const e = server.poll_event()) {
                session = e->session;
                server_received += e->event.message.data.size();
            }
            busy = carry(client, server, id, now, buffer);
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
                joined.client.send({frame_kind::text, "2[\"to the server\",1]"}, joined.now).ignore();
                joined.server.send(joined.session, frame{frame_kind::text, "2[\"to the client\"]"}).ignore();
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

namespace {

// A whole client and a whole server, joined over one WebSocket. The server emits back what it gets.
struct joined_stacks {
    joined_stacks()
        : server({}, count(), now), client({.transports = {engineio::transport::websocket}}, count(), now),
          socket(client.connect().value()) {
        run();
    }

    static random_source count() {
        return [n = std::uint64_t{0}](std::span<std::byte> bytes) mutable {
            ++n;
            std::memcpy(bytes.data(), &n, sizeof n);
        };
    }

    template <class Side>
    void emit(Side& from, socketio::socket_handle to, bool is_binary) {
        bool const good = is_binary ? from.emit(to, "img", as_bytes(picture), json::object("meta", "x"),
                                                as_bytes(picture).subspan(100))
                                          .has_value()
                                    : from.emit(to, "message", "hello world").has_value();
        REQUIRE(good);
    }

    void run() {
        for (bool busy = true; busy;) {
            while (auto const e = client.poll_event())
                if (e->type == socketio::event_type::event) client_received += 1 + e->packet.attachments.size();
            while (auto const e = server.poll_event()) {
                if (e->type != socketio::event_type::event) continue;
                server_received += 1 + e->packet.attachments.size();
                emit(server, e->socket, !e->packet.attachments.empty());
            }
            busy = carry(client, server, id, now, buffer);
        }
    }

    time_point now{};
    std::string picture = std::string(1'000, '\x7f');
    socketless::server server;
    socketless::client client;
    socketio::socket_handle socket;
    engineio::channel_id id = 0;
    std::size_t client_received = 0;
    std::size_t server_received = 0;
    std::string buffer;
};

} // namespace

TEST_CASE("events between whole stacks, text or binary or both in turn, do not allocate in the steady state",
          "[allocation]") {
    joined_stacks joined;
    REQUIRE(joined.client.is_connected(joined.socket));
    auto const talk = [&joined] {
        for (int i = 0; i != 10; ++i) {
            joined.emit(joined.client, joined.socket, true);
            joined.run();
            joined.emit(joined.client, joined.socket, false);
            joined.emit(joined.client, joined.socket, true);
            joined.run();
        }
    };
    talk();
    std::size_t const before = joined.server_received;
    CHECK(allocations_in(talk) == 0);
    CHECK(joined.server_received - before == 10 * (3 + 1 + 3));
    CHECK(joined.client_received == 2 * 10 * (3 + 1 + 3));
}

TEST_CASE("a connection that seldom sends keeps no memory for its queue, one that sends often keeps it until it pings",
          "[allocation]") {
    engineio::server server({.transports = {engineio::transport::websocket}}, joined_stacks::count());
    time_point now{};
    std::string buffer;
    buffer.reserve(1'000);
    engineio::session_handle session;
    auto const run = [&] {
        for (bool busy = true; busy;) {
            busy = false;
            while (auto const e = server.poll_event()) session = e->session;
            while (server.poll_transmit(buffer)) busy = true;
        }
    };
    std::string const text(1'000, 'x');
    auto const send_to = [&](engineio::session_handle s) {
        REQUIRE(server.send(s, frame{frame_kind::text, text}).has_value());
        run();
    };
    // All of them use the memory of the first.
    std::array<engineio::session_handle, 8> sessions;
    for (std::size_t i = 0; i != sessions.size(); ++i) {
        server.websocket_opened(i, "/engine.io/?EIO=4&transport=websocket", now);
        run();
        sessions[i] = session;
    }
    send_to(sessions[0]);
    CHECK(allocations_in([&] {
              for (std::size_t i = 1; i != sessions.size(); ++i) send_to(sessions[i]);
          }) == 0);
    for (auto const s : sessions) send_to(s); // each has its own from now on
    std::size_t const before = bytes_in_use;
    CHECK(allocations_in([&] {
              for (auto const s : sessions) send_to(s);
          }) == 0);
    now += std::chrono::seconds(26);
    server.handle_timeout(now);
    run();
    CHECK(bytes_in_use + (sessions.size() - 1) * text.size() <= before);
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

TEST_CASE("an event that goes from a session through a dispatcher to its handlers does not allocate", "[allocation]") {
    time_point const now{};
    socketio::client_session session;
    REQUIRE(session.connect().has_value());
    session.opened(now);
    socketio::dispatcher handlers;
    std::size_t seen = 0;
    constexpr socketio::typed_event<std::size_t, json::text> moved{"a name that no string holds within itself"};
    handlers.on(moved, [&seen](std::size_t steps, json::text direction) {
        seen += steps + direction.borrow_string().value_or("").size();
    });
    handlers.on("caf\xc3\xa9", [&seen](socketio::event& e) { seen += e.get<std::size_t>().value_or(0); });
    handlers.on("17", [&seen](socketio::event&) { seen += 10'000; });
    handlers.on_any([&seen](socketio::event&) { seen += 100'000; });
    handlers.on_mismatch([&seen](socketio::event&, error) { seen += 1'000'000; });
    handlers.on(socketio::event_type::connected, [&seen](socketio::event&) { seen += 10'000'000; });

    auto const receive = [&](std::string_view text) {
        session.message_received({frame_kind::text, text}, now);
        while (auto e = session.poll_event()) handlers.dispatch(*e);
    };
    receive(R"(0{"sid":"s"})");
    CHECK(allocations_in([&] {
              receive(R"(2["a name that no string holds within itself",100,"north"])");
              receive(R"(2["a name that no string holds within itself","north"])");
              receive(R"(2["caf\u00e9",1000])");
              receive(R"(2[17])");
              receive(R"(2["nobody listens to this one"])");
          }) == 0);
    CHECK(seen == 11'511'105);
}

TEST_CASE("awaiting and answering a constant number of acknowledgements does not allocate", "[allocation]") {
    socketio::pending_acks acks;
    time_point now{};
    std::uint64_t id = 0;
    constexpr std::uint64_t outstanding = 100;
    auto const await = [&] {
        now += std::chrono::milliseconds(1);
        acks.await({.id = id++, .deadline = now + std::chrono::seconds(10)});
    };
    std::size_t answered = 0;
    auto const talk = [&] {
        for (int i = 0; i != 1'000; ++i) {
            await();
            std::uint64_t const age = i % 3 == 0 ? outstanding / 2 : outstanding; // not all in order
            answered += static_cast<std::size_t>(acks.take(id - 1 - age, 0).has_value());
            while (acks.size() > outstanding) static_cast<void>(acks.take_of(0));
        }
    };
    for (std::uint64_t i = 0; i != outstanding; ++i) await();
    talk();
    CHECK(allocations_in(talk) == 0);
    CHECK(answered > 1'000);
    CHECK(acks.size() == outstanding);
}

TEST_CASE("a broadcast does not allocate", "[allocation]") {
    socketio::rooms rooms;
    for (std::uint32_t m = 0; m != 100; ++m) {
        rooms.enter(0, m);
        rooms.join(m, m % 2 == 0 ? "even" : "odd");
        rooms.join(m, "a room whose name is longer than any string holds within itself");
    }
    std::string_view const both[] = {"even", "odd"};
    std::string_view const long_name[] = {"a room whose name is longer than any string holds within itself"};
    std::uint32_t const excluded[] = {1, 2, 3, 4, 5, 6};
    std::size_t reached = 0;
    CHECK(allocations_in([&] {
              auto const count = [&reached](std::uint32_t) { ++reached; };
              rooms.for_each(0, {}, {}, count);
              rooms.for_each(0, long_name, {}, count);
              rooms.for_each(0, both, {}, excluded, count);
              rooms.for_each(0, long_name, std::span(both).first(1), count);
          }) == 0);
    CHECK(reached == 100 + 100 + 94 + 50);
}

TEST_CASE("a member of a room takes at most 72 bytes where there are a million, and nothing once it is gone",
          "[allocation]") {
    constexpr std::uint32_t many = 1'000'000;
    char const* const names[] = {"red", "green", "blue"};
    std::size_t const before = bytes_in_use;
    socketio::rooms rooms;
    for (std::uint32_t m = 0; m != many; ++m) {
        rooms.enter(0, m);
        rooms.join(m, names[m % 3]);
    }
    CHECK(bytes_in_use - before <= std::size_t{72} * many);

    for (std::uint32_t m = 0; m != many; ++m) rooms.exit(m);
    std::size_t const record = 2 * 16; // the room a member takes after it has left: its number may come again
    CHECK(bytes_in_use - before <= record * many + 10'000);
}
