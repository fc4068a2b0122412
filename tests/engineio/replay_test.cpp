// The captures of tests/data, replayed: the server's side of each drives a client_session, the client's side a server.
// They emit what was recorded, up to session ids, timestamps, which packets share a body, and the order between
// different exchanges and channels.

#include "demo/capture.hpp"
#include "drivers/engineio_server.hpp"
#include "drivers/recorded.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engineio_replay_test {

namespace {

using namespace socketless;
using namespace demo;
using engineio::event_type;
using engineio::packet_type;
using engineio::transmit_type;
using support::capture;
using connection = support::recorded_connection;
using support::normalised;
using support::packets_of_body;
using support::run_until;
using support::speech;

//=== a client ===//

// A client_session before the server's side of one connection. POSTs are answered at once; the pending GET gets the
// answer to any GET.
class client_replay {
public:
    explicit client_replay(connection const& recorded) : recorded_(recorded), session_(options(recorded)) {}

    speech said;
    std::vector<std::string> received;
    std::set<std::string> requests;
    std::optional<std::string> handshake;
    std::optional<engineio::close_reason> end;
    bool upgraded = false;

    void run(capture const& all) {
        run_until(session_, now_, recorded_.happenings.front().time, [this] { drain(); });
        REQUIRE(session_.open(now_));
        drain();
        for (happening const& h : recorded_.happenings) {
            run_until(session_, now_, h.time, [this] { drain(); });
            if (h.from == side::client)
                client_did(h, all);
            else
                server_did(h, all);
            drain();
        }
    }

private:
    static engineio::client_options options(connection const& c) {
        engineio::client_options o;
        o.path = "/socket.io/";
        o.transports = c.transports;
        o.revision = c.revision;
        o.force_base64 = c.base64;
        return o;
    }

    void client_did(happening const& h, capture const& all) {
        switch (h.kind) {
        case happening_kind::http_request:
            if (all.method(h.number) != "POST") break;
            CHECK(h.content_type == "text/plain;charset=UTF-8");
            for (auto const& [p, data] : packets_of_body(h.body->bytes, h.body->kind, recorded_.revision)) send(p);
            break;
        case happening_kind::websocket_message: {
            open_channel();
            auto const p = engineio::decode({h.body->kind, h.body->bytes}, recorded_.revision);
            // The server had nothing for the poll in flight, and answers it with a noop.
            bool const v4 = recorded_.revision == engineio::revision::v4;
            if (p->type == packet_type::upgrade && get_) answer(v4 ? "6" : "1:6", frame_kind::text, 200);
            send(*p);
            break;
        }
        case happening_kind::websocket_close: session_.close(now_); break;
        default: break;
        }
    }

    void server_did(happening const& h, capture const& all) {
        switch (h.kind) {
        case happening_kind::http_response:
            if (all.method(h.number) == "GET" && get_)
                answer(h.body->bytes, h.body->kind, static_cast<int>(h.status.value_or(0)));
            break;
        case happening_kind::websocket_message: {
            open_channel();
            session_.websocket_received(channel_, {h.body->kind, h.body->bytes}, now_);
            drain(); // while the bytes are there
            break;
        }
        case happening_kind::websocket_close: session_.channel_closed(channel_, now_); break;
        default: break;
        }
    }

    void send(engineio::packet const& p) {
        if (p.type == packet_type::message) CHECK(session_.send(frame{p.kind, p.data}, now_).has_value());
        if (p.type == packet_type::close) session_.close(now_);
    }

    void open_channel() {
        if (std::exchange(channel_open_, true)) return;
        session_.channel_opened(channel_, now_);
        drain();
    }

    void answer(std::string body, frame_kind kind, int status) {
        auto const exchange = *std::exchange(get_, std::nullopt);
        session_.http_response(exchange, status, kind == frame_kind::binary, body, now_);
        drain();
    }

    void drain() {
        for (;;) {
            if (auto const e = session_.poll_event()) {
                take(*e);
            } else if (auto const t = session_.poll_transmit(buffer_)) {
                take(*t);
            } else if (!posts_.empty()) {
                auto const exchange = posts_.back();
                posts_.pop_back();
                session_.http_response(exchange, 200, false, {}, now_);
            } else {
                return;
            }
        }
    }

    void take(engineio::event const& e) {
        switch (e.type) {
        case event_type::message: received.push_back(support::show(e.message)); break;
        case event_type::closed: end = e.reason; break;
        case event_type::upgraded: upgraded = true; break;
        case event_type::opened: {
            auto h = session_.handshake();
            h.sid = "sid";
            REQUIRE(engineio::encode_handshake(handshake.emplace(), h).has_value());
            break;
        }
        default: break;
        }
    }

    void take(engineio::transmit const& t) {
        switch (t.type) {
        case transmit_type::get:
            REQUIRE_FALSE(get_.has_value());
            get_ = t.id;
            requests.insert("GET " + normalised(t.target));
            break;
        case transmit_type::post:
            CHECK(t.content == engineio::content_type::text);
            for (auto const& [p, data] : packets_of_body(t.data.data, t.data.kind, recorded_.revision)) said.add(p);
            requests.insert("POST " + normalised(t.target));
            posts_.push_back(t.id);
            break;
        case transmit_type::open_websocket:
            channel_ = t.id;
            requests.insert("WebSocket " + normalised(t.target));
            break;
        case transmit_type::send: {
            auto const p = engineio::decode(t.data, recorded_.revision);
            REQUIRE(p.has_value());
            said.add(*p);
            break;
        }
        case transmit_type::abort:
            if (get_ == t.id) get_.reset();
            break;
        default: break;
        }
    }

    connection const& recorded_;
    engineio::client_session session_;
    time_point now_ = support::start;
    std::string buffer_;
    std::optional<engineio::exchange_id> get_;
    std::vector<engineio::exchange_id> posts_;
    engineio::channel_id channel_ = 0;
    bool channel_open_ = false;
};

//=== a server ===//

// A server before the client's side of a whole capture.
class server_replay {
public:
    struct result {
        speech said;
        std::vector<std::string> received;
        std::string sid;
        std::optional<engineio::session_handle> session;
        std::optional<engineio::close_reason> end;
        bool upgraded = false;
    };

    // Status and type by exchange.
    using answers = std::map<std::uint64_t, std::pair<int, std::string>>;

    explicit server_replay(capture const& recorded)
        : results(recorded.connections.size()), recorded_(recorded), server_(options(), support::counting_random()) {}

    // A result for each connection.
    std::vector<result> results;

    // The answers to all exchanges: ours, and the recorded.
    [[nodiscard]] answers const& given() const { return answers_; }
    [[nodiscard]] answers const& due() const { return answers_due_; }

    void run() {
        for (auto const& [index, h] : recorded_.happenings) {
            run_until(server_, now_, h.time, [this] { drain(); });
            current_ = index;
            if (h.from == side::client)
                client_did(h);
            else
                server_did(h);
            drain();
        }
    }

    [[nodiscard]] std::size_t sessions() const { return server_.connection_count(); }

private:
    static engineio::server_options options() {
        engineio::server_options o;
        o.path = "/socket.io/";
        o.ping_interval = std::chrono::milliseconds(300);
        o.ping_timeout = std::chrono::milliseconds(200);
        o.allow_v3 = true;
        return o;
    }

    [[nodiscard]] connection const& recorded() const { return recorded_.connections[current_]; }

    // With our session id.
    [[nodiscard]] std::string target(happening const& h) const {
        std::string t = h.target;
        if (auto const at = t.find("sid="); at != std::string::npos)
            t.replace(at + 4, recorded().sid.size(), results[current_].sid);
        return t;
    }

    void client_did(happening const& h) {
        using enum happening_kind;
        std::string body = h.body ? h.body->bytes : "";
        switch (h.kind) {
        case http_request:
            server_.http_received(
                {.exchange = h.number,
                 .method = h.method == "GET" ? engineio::http_method::get : engineio::http_method::post,
                 .target = target(h),
                 .is_binary = h.content_type == "application/octet-stream",
                 .body = body},
                now_);
            break;
        case http_aborted: server_.http_aborted(h.number, now_); break;
        case websocket_open:
            CHECK_FALSE(server_.websocket_refusal(target(h)).has_value());
            server_.websocket_opened(h.number, target(h), now_);
            break;
        case websocket_message: server_.websocket_received(h.number, {h.body->kind, body}, now_); break;
        case websocket_close: server_.channel_closed(h.number, now_); break;
        default: break;
        }
        drain(); // while the bytes are there
    }

    void server_did(happening const& h) {
        using enum happening_kind;
        switch (h.kind) {
        case http_response:
            if (recorded_.method(h.number) == "GET")
                for (auto const& [p, data] : packets_of_body(h.body->bytes, h.body->kind, recorded().revision)) send(p);
            answers_due_[h.number] = {static_cast<int>(*h.status), h.content_type};
            break;
        case websocket_message: {
            auto const p = engineio::decode({h.body->kind, h.body->bytes}, recorded().revision);
            send(*p);
            break;
        }
        case websocket_close: server_.close(*results[current_].session); break;
        default: break;
        }
    }

    void send(engineio::packet const& p) {
        if (p.type != packet_type::message) return;
        REQUIRE(results[current_].session.has_value());
        CHECK(server_.send(*results[current_].session, frame{p.kind, p.data}).has_value());
    }

    void drain() {
        for (;;) {
            if (auto const e = server_.poll_event())
                take(*e);
            else if (auto const t = server_.poll_transmit(buffer_))
                take(*t);
            else
                return;
        }
    }

    void take(engineio::server_event const& e) {
        if (e.event.type == event_type::opened) {
            results[current_].session = e.session;
            results[current_].sid = server_.find(e.session)->id();
        }
        auto const r = std::ranges::find(results, std::optional(e.session), &result::session);
        REQUIRE(r != results.end());
        if (e.event.type == event_type::message) r->received.push_back(support::show(e.event.message));
        if (e.event.type == event_type::upgraded) r->upgraded = true;
        if (e.event.type == event_type::closed) {
            REQUIRE_FALSE(r->end.has_value());
            r->end = e.event.reason;
        }
    }

    void take(engineio::transmit const& t) {
        if (t.type == transmit_type::close) return;
        bool const http = t.type == transmit_type::respond;
        std::size_t const index = recorded_.connection_of(http, t.id);
        auto const r = recorded_.connections[index].revision;
        if (!http) {
            auto const p = engineio::decode(t.data, r);
            REQUIRE(p.has_value());
            results[index].said.add(*p);
            return;
        }
        REQUIRE(answers_.emplace(t.id, std::pair(t.status, std::string(name(t.content)))).second);
        if (recorded_.method(t.id) == "POST")
            CHECK(t.data.data == "ok");
        else
            for (auto const& [p, data] : packets_of_body(t.data.data, t.data.kind, r)) results[index].said.add(p);
    }

    capture const& recorded_;
    engineio::server server_;
    time_point now_ = support::start;
    std::string buffer_;
    std::size_t current_ = 0;
    answers answers_;
    answers answers_due_;
};

constexpr char const* all_captures[] = {
    "websocket", "polling",       "upgrade",           "msgpack",           "refused",
    "recovery",  "server-leaves", "protocol3-polling", "protocol3-upgrade", "protocol3-websocket"};

// Whether the recorded connection moved to another transport.
bool moved(connection const& c) {
    return std::ranges::count(c.client.controls, "upgrade") == 1;
}

} // namespace

TEST_CASE("a client does in a recorded session what the reference did", "[replay]") {
    for (std::string const name : all_captures) {
        capture const recorded(name);
        REQUIRE_FALSE(recorded.connections.empty());
        for (connection const& c : recorded.connections) {
            INFO(name << ", line " << c.happenings.front().line);
            REQUIRE_FALSE(c.client.messages.empty());
            REQUIRE_FALSE(c.server.messages.empty());
            client_replay replay(c);
            replay.run(recorded);
            CHECK(replay.said.messages == c.client.messages);
            CHECK(replay.said.controls == c.client.controls);
            CHECK(replay.received == c.server.messages);
            CHECK(replay.requests == c.requests);
            CHECK(replay.handshake == c.server.handshake);
            CHECK(replay.upgraded == moved(c));
            bool const server_left =
                c.happenings.back().from == side::server && c.happenings.back().kind == happening_kind::websocket_close;
            CHECK(replay.end ==
                  (server_left ? engineio::close_reason::transport_close : engineio::close_reason::forced_close));
        }
    }
}

TEST_CASE("a server does in a recorded session what the reference did", "[replay]") {
    for (std::string const name : all_captures) {
        capture const recorded(name);
        server_replay replay(recorded);
        replay.run();
        for (std::size_t i = 0; i != recorded.connections.size(); ++i) {
            connection const& c = recorded.connections[i];
            auto const& r = replay.results[i];
            INFO(name << ", line " << c.happenings.front().line);
            CHECK(r.said.messages == c.server.messages);
            CHECK(r.said.controls == c.server.controls);
            CHECK(r.said.handshake == c.server.handshake);
            CHECK(r.received == c.client.messages);
            CHECK(r.upgraded == moved(c));
            bool const server_left =
                c.happenings.back().from == side::server && c.happenings.back().kind == happening_kind::websocket_close;
            CHECK(r.end ==
                  (server_left ? engineio::close_reason::forced_close : engineio::close_reason::transport_close));
        }
        CHECK(replay.given() == replay.due());
        CHECK(replay.sessions() == 0);
    }
}

} // namespace engineio_replay_test
