// Whole stacks in which user code or an allocation throws, at each place in turn: others notice nothing, nothing waits
// for ever, every loss is reported, and all memory comes back.

#include "drivers/stacks.hpp"
#include "tools/catch.hpp"
#include "tools/chance.hpp"
#include "tools/memory.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketio/msgpack_parser.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#if defined(__cpp_exceptions)

namespace allocation_throwing_test {

using namespace socketless;
using namespace std::chrono_literals;
using socketio::event_type;
using socketio::socket_handle;
using support::chance;
using support::fate;

namespace {

void take(chance c) {
    if (fate.take(c)) throw support::thrown();
}

// A value of the application: the number of the client that owns it.
struct token {
    int owner = -1;

    friend void write_json(json::writer& out, token const& t) {
        out.begin_object();
        take(chance::writing);
        out.member("owner", t.owner);
        take(chance::writing);
        out.end_object();
    }
    friend result<void> read_json(json::text text, token& t) {
        take(chance::reading);
        auto const found = text.find("owner");
        if (!found) return error{errc::wrong_kind};
        auto const number = found->get<int>();
        if (!number) return number.error();
        t.owner = *number;
        return {};
    }
};

random_source careless_random(std::uint64_t first) {
    return [random = support::counting_random(first)](std::span<std::byte> bytes) {
        take(chance::random);
        random(bytes);
    };
}

constexpr std::size_t crowd = 5;
constexpr std::array<std::byte, 4> picture{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

// A parser that may throw before and after its work.
class throwing_parser final : public socketio::parser {
public:
    [[nodiscard]] result<frame_kind> encode(socketio::outgoing_packet const& packet, std::string& message,
                                            limits const& bounds) const override {
        take(chance::parsing);
        auto const encoded = socketio::msgpack_parser.encode(packet, message, bounds);
        take(chance::parsing);
        return encoded;
    }
    [[nodiscard]] result<void> decode(frame message, socketio::incoming_packet& packet,
                                      limits const& bounds) const override {
        take(chance::parsing);
        auto const decoded = socketio::msgpack_parser.decode(message, packet, bounds);
        take(chance::parsing);
        return decoded;
    }
};
throwing_parser const mine;

// Which parser all sides have.
socketio::parser const* common_parser = nullptr;

server_options options_of_server() {
    server_options options;
    options.sockets.parser = common_parser;
    options.recovery.emplace();
    options.engine.allow_v3 = true;
    options.engine.transports.insert(engineio::transport::webtransport);
    options.engine.allow_request = [](engineio::handshake_request const&) {
        take(chance::allowing);
        return true;
    };
    return options;
}
client_options options_of_client(std::size_t i) {
    client_options options;
    options.parser = common_parser;
    if (i == 0) options.transports = {engineio::transport::polling};
    if (i == 1) options.transports = {engineio::transport::websocket};
    if (i == 3) options.transports = {engineio::transport::webtransport};
    if (i == 4) options.revision = engineio::revision::v3;
    return options; // clients 2 and 4 upgrade
}

// A server and clients over a network without faults: everything that goes wrong is thrown.
class world {
public:
    world() {
        guarded([this] { server.emplace(options_of_server(), careless_random(1), now); });
        if (!server) return;
        insist([this] { server->declare("/ask", admission::ask); });
        insist([this] { server->declare("/refused", admission::ask); });
        insist([this] {
            server->declare_matching([](std::string_view name, json::text) {
                take(chance::predicate);
                return name.starts_with("/made");
            });
        });
        for (std::size_t i = 0; i != crowd; ++i) {
            auto& p = peers.emplace_back();
            guarded([&] { p.client.emplace(options_of_client(i), careless_random(100 + i), now); });
        }
        for (auto type = event_type::connecting;; type = static_cast<event_type>(static_cast<int>(type) + 1)) {
            handlers_.on(type, [this](socketio::event& e) {
                take(chance::handling);
                fate.is_armed = false; // `guarded` arms it again for calls of the library
                is_handled_ = true;
                handle_(e);
            });
            if (type == last_type) break;
        }
    }

    [[nodiscard]] bool is_whole() const {
        for (auto const& p : peers)
            if (!p.client) return false;
        return server.has_value() && peers.size() == crowd;
    }

    void live() {
        for (std::size_t i = 0; i != crowd; ++i) connect(i, "/");
        connect(1, "/made by 1");
        connect(2, "/ask");
        connect(2, "/made by 2");
        connect(0, "/nobody knows this");
        connect(4, "/made by 4");
        for (std::size_t const i : {0u, 3u, 4u}) connect(i, "/refused");
        settle();
        everybody_is_there();
        broadcast("before");
        settle();
        cut(1); // it comes back and gets what it missed
        broadcast("meanwhile");
        pass(10s);
        guarded([&] { peers[2].client->disconnect(peers[2].sockets.at("/ask")); });
        peers[2].connected.erase("/ask");
        // Client 0 leaves all namespaces, and joins "/" again before its connection has ended.
        for (auto const& left : peers[0].sockets) insist([&] { peers[0].client->disconnect(left.second); });
        peers[0].connected.clear();
        connect(0, "/");
        settle();
        connect(2, "/ask");
        pass(30s);
        everybody_is_there();
        // All works as if nothing had happened, once the server has noticed which connections their clients gave up.
        is_calm_ = true;
        pass(60s);
        for (std::size_t i = 0; i != crowd; ++i) {
            peers[i].received.clear();
            REQUIRE(peers[i].client->emit(peers[i].sockets.at("/"), "hello", token{static_cast<int>(i)}));
        }
        settle();
        CHECK(server->in("/").size() == crowd);
        for (std::size_t i = 0; i != crowd; ++i) CHECK(peers[i].received.contains("yours"));
        is_calm_ = false;
    }

    void die() {
        is_dying_ = true;
        guarded([this] { server->close(); });
        for (auto& p : peers) guarded([&] { p.client->close(); });
        pass(60s);
        guarded([this] { server->close(); });
        pass(300s);
        CHECK(server->connection_count() == 0);
        CHECK(server->socket_count() == 0);
        CHECK(sockets.empty()); // each connected socket was disconnected
        CHECK(asked_by_server.empty());
        CHECK(broadcasts.empty());
        for (auto const& p : peers) {
            CHECK(p.asked.empty());
            CHECK(p.exchanges.empty()); // each was answered
        }
        CHECK(broken <= 1);
    }

private:
    struct peer {
        std::optional<socketless::client> client;
        std::map<std::string, socket_handle> sockets; // by namespace
        std::set<std::string> connected;
        std::set<std::uint64_t> asked;
        std::set<std::string> received;
        std::map<std::uint64_t, std::uint64_t> channels;
        std::map<std::uint64_t, std::uint64_t> exchanges;
        bool is_cut = false;
    };
    struct owner {
        std::size_t client;
        std::uint64_t own;
    };

    // Calls the library, where something may throw. Returns false if it did.
    template <class F>
    bool guarded(F f) {
        return support::guarded(!is_calm_, std::move(f));
    }

    // Calls again if it throws, which happens only once.
    template <class F>
    void insist(F f) {
        if (!guarded(f)) guarded(f);
    }

    void connect(std::size_t i, std::string const& nsp) {
        for (int tries = 0; tries != 2; ++tries) {
            result<socket_handle> socket = error{errc::not_connected};
            if (!guarded(
                    [&] { socket = peers[i].client->connect(nsp, json::object("who", token{static_cast<int>(i)})); }))
                continue;
            if (socket) peers[i].sockets[nsp] = *socket;
            REQUIRE((socket || socket.error().code == errc::already_connected));
            if (peers[i].sockets.contains(nsp)) return;
        }
        FAIL("a call that throws has joined a namespace");
    }

    // Clients that were refused or cut off because something threw have come back.
    void everybody_is_there() {
        pass(20s);
        for (std::size_t i = 0; i != crowd; ++i) {
            INFO("client " << i);
            for (auto const& [nsp, socket] : peers[i].sockets) {
                INFO(nsp);
                CHECK(peers[i].client->is_connected(socket) == may_join(nsp));
            }
        }
    }

    void broadcast(std::string_view what) {
        guarded([&] { server->in("/").emit("all", what, picture).ignore(); });
        guarded([&] { server->to("room").emit("all", what, token{7}).ignore(); });
        guarded([&] { server->to("room").emit_volatile("all", what).ignore(); });
        result<std::uint64_t> id = error{errc::not_connected};
        guarded([&] { id = server->in("/").emit_with_ack(5s, "all asked", what, picture); });
        if (id) broadcasts.insert(*id);
    }

    //=== the applications ===//

    void handle_at_server(socketio::event& e) {
        switch (e.type) {
        case event_type::connecting:
            if (e.nsp == "/refused")
                insist([&] { server->refuse(e.socket, "no", token{7}).ignore(); });
            else
                insist([&] { server->accept(e.socket).ignore(); });
            break;
        case event_type::connected: CHECK(sockets.emplace(e.socket.index, e.socket.generation).second); break;
        case event_type::disconnected: CHECK(sockets.erase(e.socket.index) == 1); break;
        case event_type::event: take_at_server(e); break;
        case event_type::ack:
            if (!broadcasts.contains(e.id)) CHECK(asked_by_server.erase(e.id) == 1); // every id is known
            break;
        case event_type::acks_complete: CHECK(broadcasts.erase(e.id) == 1); break;
        default: break;
        }
    }

    void take_at_server(socketio::event& e) {
        token from;
        if (!guarded([&] { from = e.get<token>().value_or(token{}); })) return;
        // A socket speaks for its own client only.
        auto* const known = server->data<int>(e.socket);
        if (known == nullptr)
            server->set_data(e.socket, std::make_shared<int>(from.owner));
        else
            CHECK(*known == from.owner);
        guarded([&] { server->join(e.socket, "room"); });
        guarded([&] { server->join(e.socket, "room of " + std::to_string(from.owner)); });
        bool const emitted = guarded([&] { server->emit(e.socket, "yours", from, picture).ignore(); });
        CHECK((emitted || !is_calm_));
        result<std::uint64_t> id = error{errc::not_connected};
        guarded([&] { id = server->emit_with_ack(e.socket, 5s, "asked", from, picture); });
        if (id) asked_by_server.insert(*id);
        guarded([&] { server->in("/").except(e.socket).emit("others", from).ignore(); });
        if (e.ack) guarded([&] { server->acknowledge(e.ack, from, picture).ignore(); });
    }

    void handle_at_client(std::size_t i, socketio::event& e) {
        peer& p = peers[i];
        std::string const nsp(e.nsp);
        switch (e.type) {
        case event_type::connected: {
            CHECK(p.connected.insert(nsp).second);
            if (nsp != "/") break;
            token const own{static_cast<int>(i)};
            result<std::uint64_t> id = error{errc::not_connected};
            guarded([&] { id = p.client->emit_with_ack(e.socket, 5s, "hello", own, picture); });
            if (id) p.asked.insert(*id);
            break;
        }
        case event_type::disconnected: p.connected.erase(nsp); break;
        case event_type::closed:
            if (!p.is_cut && !is_dying_) ++broken;
            break;
        case event_type::connect_error:
            if (may_join(nsp)) retry_.emplace_back(i, nsp);
            if (nsp == "/refused" && !e.data.empty()) { // without data, the server turned it away, or it has revision 4
                token why;
                if (guarded([&] { why = e.data.get<token>().value_or(token{}); })) CHECK(why.owner == 7);
            }
            break;
        case event_type::ack: CHECK(p.asked.erase(e.id) == 1); break;
        case event_type::event: {
            token to;
            auto const name = std::string(e.name().json().raw());
            p.received.insert(name.substr(1, name.size() - 2));
            if (name == R"("yours")" || name == R"("asked")") {
                if (guarded([&] { to = e.get<token>().value_or(token{}); })) CHECK(to.owner == static_cast<int>(i));
            } else if (name == R"("others")") {
                if (guarded([&] { to = e.get<token>().value_or(token{}); })) CHECK(to.owner != static_cast<int>(i));
            }
            if (e.ack) guarded([&] { p.client->acknowledge(e.ack, to).ignore(); });
            break;
        }
        default: break;
        }
    }

    //=== the network ===//

    void drain_server() {
        for (;;) {
            std::optional<socketio::event> e;
            if (!guarded([&] { e = server->poll_event(); })) continue;
            if (!e) return;
            dispatch(*e, [this](socketio::event& told) { handle_at_server(told); });
        }
    }
    void drain_client(std::size_t i) {
        for (;;) {
            std::optional<socketio::event> e;
            if (!guarded([&] { e = peers[i].client->poll_event(); })) continue;
            if (!e) return;
            dispatch(*e, [this, i](socketio::event& told) { handle_at_client(i, told); });
        }
    }

    // A dispatcher calls the handlers. If one throws before it has done anything, this handles the event.
    template <class Handle>
    void dispatch(socketio::event& e, Handle handle) {
        handle_ = handle;
        is_handled_ = false;
        guarded([&] { handlers_.dispatch(e); });
        if (!is_handled_) handle(e);
    }

    static bool may_join(std::string_view nsp) { return nsp != "/nobody knows this" && nsp != "/refused"; }

    void settle() {
        for (int rounds = 0;; ++rounds) {
            REQUIRE(rounds != 1'000);
            bool is_busy = false;
            for (std::size_t i = 0; i != crowd; ++i) {
                drain_client(i);
                std::optional<engineio::transmit> t;
                while (!guarded([&] { t = peers[i].client->poll_transmit(client_buffer_); }) || t) {
                    if (t) from_client(i, *t);
                    t.reset();
                    drain_server();
                    drain_client(i);
                    is_busy = true;
                }
            }
            drain_server();
            std::optional<engineio::transmit> t;
            while (!guarded([&] { t = server->poll_transmit(server_buffer_); }) || t) {
                if (t) from_server(*t);
                t.reset();
                drain_server();
                is_busy = true;
            }
            for (auto const& [i, nsp] : std::exchange(retry_, {})) {
                connect(i, nsp);
                is_busy = true;
            }
            if (!is_busy) return;
        }
    }

    void pass(milliseconds how_long) {
        auto const until = now + how_long;
        for (int rounds = 0; now < until; ++rounds) {
            REQUIRE(rounds != 10'000);
            settle();
            auto next = server->poll_timeout();
            for (auto const& p : peers) next = earlier(next, p.client->poll_timeout());
            now = !next || *next > until ? until : std::max(now, *next);
            guarded([this] { server->handle_timeout(now); });
            for (auto& p : peers) guarded([&] { p.client->handle_timeout(now); });
        }
        settle();
    }

    void cut(std::size_t i) {
        peers[i].is_cut = true;
        for (auto const& names : std::exchange(peers[i].channels, {})) {
            auto const own = names.first;
            auto const servers = names.second;
            owners_.erase(servers);
            guarded([&] { server->channel_closed(servers, now); });
            drain_server();
            guarded([&] { peers[i].client->channel_closed(own, now); });
            drain_client(i);
        }
        peers[i].is_cut = false;
        settle();
    }

    void from_client(std::size_t i, engineio::transmit const& t) {
        using enum engineio::transmit_type;
        peer& p = peers[i];
        switch (t.type) {
        case get:
        case post: {
            auto const id = ++last_name_;
            owners_[id] = {i, t.id};
            p.exchanges[t.id] = id;
            body_ = t.data.data;
            std::string const target(t.target);
            auto const method = t.type == get ? engineio::http_method::get : engineio::http_method::post;
            bool const is_binary = t.data.kind == frame_kind::binary;
            if (guarded([&] { server->http_received({id, method, target, is_binary, body_}, now); })) break;
            owners_.erase(id); // the server did not take it: the I/O layer answers
            p.exchanges.erase(t.id);
            p.client->http_response(t.id, 503, false, {}, now);
            break;
        }
        case open_websocket: {
            auto const id = ++last_name_;
            std::string const target(t.target);
            bool is_refused = false;
            bool is_open = guarded([&] { is_refused = server->websocket_refusal(target).has_value(); });
            CHECK_FALSE(is_refused);
            is_open = is_open && guarded([&] { server->websocket_opened(id, target, now); });
            if (!is_open) return p.client->channel_closed(t.id, now);
            owners_[id] = {i, t.id};
            p.channels[t.id] = id;
            p.client->channel_opened(t.id, now);
            break;
        }
        case open_stream: {
            auto const id = ++last_name_;
            if (!guarded([&] { server->stream_opened(id, now); })) return p.client->channel_closed(t.id, now);
            streams_.insert(id);
            owners_[id] = {i, t.id};
            p.channels[t.id] = id;
            p.client->channel_opened(t.id, now);
            break;
        }
        case send: {
            auto const found = p.channels.find(t.id);
            if (found == p.channels.end()) break;
            auto const id = found->second;
            if (!streams_.contains(id)) {
                guarded([&] { server->websocket_received(id, t.data, now); });
                break;
            }
            // In two chunks. If the server cannot take one, the I/O layer closes the channel.
            body_ = t.data.data;
            auto const chunks = {std::string_view(body_).substr(0, body_.size() / 2),
                                 std::string_view(body_).substr(body_.size() / 2)};
            for (std::string_view const chunk : chunks) {
                if (!guarded([&] { server->stream_received(id, chunk, now); })) return close_stream(i, t.id, id);
                drain_server();
            }
            break;
        }
        case close:
            if (auto const found = p.channels.find(t.id); found != p.channels.end()) {
                guarded([&] { server->channel_closed(found->second, now); });
                owners_.erase(found->second);
                p.channels.erase(found);
            }
            break;
        case abort:
            if (auto const found = p.exchanges.find(t.id); found != p.exchanges.end()) {
                guarded([&] { server->http_aborted(found->second, now); });
                owners_.erase(found->second);
                p.exchanges.erase(found);
            }
            break;
        default: break;
        }
    }

    void close_stream(std::size_t i, std::uint64_t own, std::uint64_t id) {
        owners_.erase(id);
        peers[i].channels.erase(own);
        guarded([&] { server->channel_closed(id, now); });
        drain_server();
        guarded([&] { peers[i].client->channel_closed(own, now); });
        drain_client(i);
    }

    void from_server(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        auto const found = owners_.find(t.id);
        if (found == owners_.end()) return;
        auto const i = found->second.client;
        auto const own = found->second.own;
        peer& p = peers[i];
        if (t.type == respond) {
            owners_.erase(found);
            p.exchanges.erase(own);
            answer_ = t.data.data;
            bool const is_binary = t.content == engineio::content_type::binary;
            guarded([&] { p.client->http_response(own, t.status, is_binary, answer_, now); });
        } else if (t.type == send && streams_.contains(t.id)) {
            std::uint64_t const id = t.id;
            answer_ = t.data.data;
            if (!guarded([&] { p.client->stream_received(own, answer_, now); })) close_stream(i, own, id);
        } else if (t.type == send) {
            guarded([&] { p.client->websocket_received(own, t.data, now); });
        } else if (t.type == close) {
            owners_.erase(found);
            p.channels.erase(own);
            guarded([&] { p.client->channel_closed(own, now); });
        }
        drain_client(i);
    }

public:
    time_point now{1h};
    std::optional<socketless::server> server;
    std::deque<peer> peers;
    std::map<std::uint32_t, std::uint32_t> sockets; // of the server: index and generation
    std::set<std::uint64_t> asked_by_server;
    std::set<std::uint64_t> broadcasts;
    std::size_t broken = 0;

private:
    static constexpr event_type last_type = event_type::reconnect_failed;

    bool is_calm_ = false;
    socketio::dispatcher handlers_;
    std::function<void(socketio::event&)> handle_;
    bool is_handled_ = false;
    std::set<std::uint64_t> streams_; // of all channels, by the server's names
    bool is_dying_ = false;
    std::deque<std::pair<std::size_t, std::string>> retry_;
    std::uint64_t last_name_ = 0;
    std::map<std::uint64_t, owner> owners_; // by the server's names
    std::string client_buffer_;
    std::string server_buffer_;
    std::string body_;
    std::string answer_;
};

// The memory that is left behind if the nth chance of a kind throws.
std::size_t left_behind(chance kind, std::size_t nth) {
    fate = {kind, nth};
    std::size_t const before = support::memory_in_use();
    {
        world w;
        if (w.is_whole()) {
            w.live();
            w.die();
        }
    }
    return support::memory_in_use() - before;
}

} // namespace

TEST_CASE("whatever throws, wherever: nobody else is concerned, and nothing is left behind", "[allocation][throwing]") {
    for (auto const* const parser :
         {static_cast<socketio::parser const*>(nullptr), static_cast<socketio::parser const*>(&mine)}) {
        common_parser = parser;
        for (chance const kind : {chance::predicate, chance::random, chance::writing, chance::reading, chance::allowing,
                                  chance::handling, chance::parsing, chance::allocation}) {
            if (parser == nullptr && kind == chance::parsing) continue;
            std::size_t nth = 0;
            for (bool has_thrown = true; has_thrown; ++nth) {
                CAPTURE(static_cast<int>(kind), nth, parser != nullptr);
                // Catch keeps some memory too, at first.
                bool const is_clean = left_behind(kind, nth) == 0 || left_behind(kind, nth) == 0;
                CHECK(is_clean);
                has_thrown = fate.has_thrown;
            }
            CHECK(nth > 3);
        }
    }
    common_parser = nullptr;
}

} // namespace allocation_throwing_test

#endif
