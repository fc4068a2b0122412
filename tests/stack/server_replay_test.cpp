// A whole server before the recorded clients (see drivers/transcript.hpp). The one deviation is in `as_we_do_it`.

#include "demo/capture.hpp"
#include "drivers/recorded.hpp"
#include "drivers/stacks.hpp"
#include "drivers/transcript.hpp"
#include "tools/catch.hpp"

#include <socketless/server.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_server_replay_test {

using namespace socketless;
using namespace support::replays;
using namespace std::chrono_literals;
using demo::happening;
using demo::happening_kind;
using demo::side;
using engineio::transmit_type;
using socketio::event_type;
using socketio::socket_handle;
using support::capture;
using support::lines;

namespace {

class server_replay;

// An act of the application at a time of the capture, rather than in a handler.
struct cue {
    std::uint64_t at;
    std::function<void(server_replay&)> act;
};

// A server before the recorded clients. A GET is always pending while a client uses long-polling: the recorded client
// polled again depending on how its server filled the bodies.
class server_replay {
public:
    server_replay(capture const& recorded, std::string_view name)
        : recorded_(recorded), has_recovery_(has_recovery(name)),
          server_(options(name), support::counting_random(), support::start), states_(recorded.connections.size()) {
        for (connection const& c : recorded.connections) {
            theirs.emplace_back(c.revision, has_recovery_);
            read(theirs.back(), recorded, c);
            ours.emplace_back(c.revision, has_recovery_);
        }
        server_.declare("/admin", admission::ask);
    }

    // The recorded packets of each connection, and ours.
    std::vector<transcript> theirs;
    std::vector<transcript> ours;

    void run(std::vector<cue> const& cues) {
        auto next = cues.begin();
        for (auto const& [index, h] : recorded_.happenings) {
            for (; next != cues.end() && next->at <= h.time; ++next) {
                pass_until(next->at);
                next->act(*this);
                drain();
            }
            pass_until(h.time);
            current_ = index;
            happened(h);
        }
        CHECK(server_.connection_count() == 0);
        CHECK(server_.socket_count() == 0);
    }

    socketless::server& server() { return server_; }
    // The socket that was connected last.
    [[nodiscard]] socket_handle last() const { return last_; }

private:
    struct connection_state {
        std::string sid;
        bool polls = false;
    };

    static server_options options(std::string_view name) {
        server_options o;
        o.engine.ping_interval = 300ms;
        o.engine.ping_timeout = 200ms;
        o.engine.allow_v3 = true;
        if (has_recovery(name)) o.recovery.emplace();
        return o;
    }

    [[nodiscard]] connection const& recorded() const { return recorded_.connections[current_]; }
    [[nodiscard]] connection_state& state() { return states_[current_]; }

    void pass_until(std::uint64_t time) {
        support::run_until(server_, now_, time, [this] { drain(); });
    }

    //=== from the recorded client ===//

    void happened(happening const& h) {
        using enum happening_kind;
        if (h.kind == websocket_close) server_.channel_closed(h.number, now_); // by whichever side: it is gone
        if (h.from == side::client && h.kind == http_request) requested(h);
        if (h.from == side::client && h.kind == websocket_open) {
            std::string const target = with_sid(h.target);
            CHECK_FALSE(server_.websocket_refusal(target).has_value());
            server_.websocket_opened(h.number, target, now_);
        }
        if (h.from == side::client && h.kind == websocket_message) {
            auto const p = packets_of(recorded_, recorded(), h).front().first;
            if (p.type == engineio::packet_type::upgrade) state().polls = false;
            std::string frame_out;
            auto const message = translated(p);
            REQUIRE(engineio::encode(frame_out, {p.type, p.kind, message}, recorded().revision).has_value());
            server_.websocket_received(h.number, {h.body->kind, frame_out}, now_);
            drain(); // while the bytes are there
        }
        drain();
    }

    void requested(happening const& h) {
        bool const is_first = h.target.find("sid=") == std::string::npos;
        if (h.method == "GET" && is_first) {
            state().polls = true;
            return get(h.target);
        }
        if (h.method == "GET") return; // there is one
        std::string body;
        engineio::payload_writer writer(body, std::numeric_limits<std::size_t>::max(),
                                        support::format_of(h.body->kind, recorded().revision));
        for (auto const& [p, data] : packets_of(recorded_, recorded(), h)) {
            if (p.type == engineio::packet_type::close) state().polls = false;
            REQUIRE(writer.push({p.type, p.kind, translated(p)}) == true);
        }
        bool const binary = h.content_type == "application/octet-stream";
        request(engineio::http_method::post, with_sid(h.target), body, binary);
    }

    void get(std::string_view target) { request(engineio::http_method::get, target, {}, false); }

    void request(engineio::http_method method, std::string_view target, std::string body, bool binary) {
        auto const exchange = next_exchange_++;
        exchanges_[exchange] = {current_, method};
        server_.http_received({exchange, method, target, binary, body}, now_);
        drain(); // while the body is there
    }

    // With our session id.
    [[nodiscard]] std::string with_sid(std::string target) const {
        if (auto const at = target.find("sid="); at != std::string::npos)
            target.replace(at + 4, recorded().sid.size(), states_[current_].sid);
        return target;
    }

    // With our ids, and our secrets of recovery.
    std::string translated(engineio::packet const& p) {
        std::string message(p.data);
        if (p.type != engineio::packet_type::message) return message;
        auto const r = revision_of(recorded());
        if (auto const ack = ack_in({p.kind, p.data}, r)) {
            auto const place = theirs[current_].place_of(side::server, ack->nsp, *ack->id);
            message = with_id(message, r, ours[current_].id_of(side::server, ack->nsp, place));
        }
        if (current_ != 0 && has_recovery_ && p.kind == frame_kind::text) {
            replace(message, theirs[0].pid, ours[0].pid);
            replace(message, theirs[0].offsets.back(), ours[0].offsets.back());
        }
        ours[current_].add(side::client, {p.kind, message});
        return message;
    }

    static void replace(std::string& in, std::string const& old, std::string const& fresh) {
        if (auto const at = in.find(old); at != std::string::npos) in.replace(at, old.size(), fresh);
    }

    //=== to the recorded client ===//

    void drain() {
        for (;;) {
            if (auto e = server_.poll_event()) {
                handle(*e);
            } else if (auto const t = server_.poll_transmit(buffer_)) {
                take(*t);
            } else if (!polls_due_.empty()) {
                auto const back = std::exchange(current_, polls_due_.back());
                polls_due_.pop_back();
                auto const& c = recorded();
                std::string const eio = c.revision == engineio::revision::v3 ? "3" : "4";
                get("/socket.io/?EIO=" + eio + "&transport=polling" + (c.base64 ? "&b64=1" : "") +
                    "&sid=" + state().sid);
                current_ = back;
            } else {
                return;
            }
        }
    }

    void take(engineio::transmit const& t) {
        if (t.type == transmit_type::close) return;
        if (t.type == transmit_type::send) {
            std::size_t const index = recorded_.connection_of(false, t.id);
            auto const p = engineio::decode(t.data, recorded_.connections[index].revision);
            REQUIRE(p.has_value());
            return said(index, *p);
        }
        auto const [index, method] = exchanges_.at(t.id);
        CHECK(t.status == 200);
        if (method == engineio::http_method::post) return;
        for (auto const& [p, data] :
             support::packets_of_body(t.data.data, t.data.kind, recorded_.connections[index].revision))
            said(index, p);
        if (states_[index].polls) polls_due_.push_back(index);
    }

    void said(std::size_t index, engineio::packet const& p) {
        if (p.type == engineio::packet_type::open) states_[index].sid = engineio::decode_handshake(p.data)->sid;
        if (p.type == engineio::packet_type::message) ours[index].add(side::server, {p.kind, p.data});
    }

    //=== the application ===//

    void handle(server::event& e) {
        using enum event_type;
        if (e.type == connecting) admit(e);
        if (e.type == connected) greet(e);
        if (e.type == event) reply(e);
        if (e.type == ack) CHECK(server_.emit(e.socket, "answered", *e.args().begin()).has_value());
    }

    void admit(server::event const& e) {
        bool const good = e.data.find("token").value_or(json::text()).equals("123");
        if (good)
            CHECK(server_.accept(e.socket).has_value());
        else
            CHECK(server_.refuse(e.socket, "not authorized", json::object("code", 401)).has_value());
    }

    void greet(server::event const& e) {
        last_ = e.socket;
        if (e.nsp == "/")
            CHECK(server_.emit(e.socket, "hello", json::object("text", "wörld", "n", 1)).has_value());
        else
            CHECK(server_.emit(e.socket, "hello", "admin").has_value());
    }

    void reply(server::event& e) {
        if (e.name() == "ask-me") {
            CHECK(server_.emit_with_ack(e.socket, std::nullopt, "question", json::object("q", "ready?")).has_value());
            return;
        }
        CHECK(e.name() == "echo");
        spread(e.args(), [&](auto const&... args) {
            if (e.ack)
                CHECK(server_.acknowledge(e.ack, args...).has_value());
            else
                CHECK(server_.emit(e.socket, "echo-back", args...).has_value());
        });
    }

    capture const& recorded_;
    bool has_recovery_;
    socketless::server server_;
    time_point now_ = support::start;
    std::string buffer_;
    std::size_t current_ = 0;
    std::vector<connection_state> states_;
    std::uint64_t next_exchange_ = 1'000'000;
    std::map<std::uint64_t, std::pair<std::size_t, engineio::http_method>> exchanges_;
    std::vector<std::size_t> polls_due_;
    socket_handle last_;
};

// The acts of the recorded applications outside of handlers. (Cut connections are in the capture: their WebSockets
// close.)
std::vector<cue> cues_of(std::string_view name) {
    auto const news = [](std::string_view which) {
        return [=](server_replay& r) { CHECK(r.server().in("/").emit("news", which) == (which == "one" ? 1u : 0u)); };
    };
    if (name == "recovery") return {{8, news("one")}, {200, news("two while away")}};
    if (name == "server-leaves")
        return {{236, [](server_replay& r) { r.server().disconnect(r.last()); }},
                {650, [](server_replay& r) { r.server().disconnect_connection(r.last()); }}};
    return {};
}

// The deviation: the reference sends missed events to a recovered client before it answers its CONNECT, we send them
// after, so that a client need not keep events until it is connected.
std::map<std::string, lines> as_we_do_it(std::map<std::string, lines> said) {
    for (auto& [nsp, packets] : said) {
        auto const connect =
            std::ranges::find_if(packets, [](std::string const& line) { return line.starts_with("connect sid pid"); });
        if (connect != packets.end()) std::rotate(packets.begin(), connect, connect + 1);
    }
    return said;
}

} // namespace

TEST_CASE("a server says to a recorded client what the reference said", "[replay]") {
    for (std::string const name : all_captures) {
        capture const recorded(name);
        server_replay replay(recorded, name);
        replay.run(cues_of(name));
        for (std::size_t i = 0; i != recorded.connections.size(); ++i) {
            INFO(name << ", line " << recorded.connections[i].happenings.front().line);
            CHECK(packets(replay.theirs[i].said(side::server)) > 0);
            CHECK(replay.ours[i].said(side::server) == as_we_do_it(replay.theirs[i].said(side::server)));
        }
        CHECK(replay.ours.front().pid.empty() != has_recovery(name));
        if (has_recovery(name)) CHECK(replay.ours.back().pid == replay.ours.front().pid); // recovered, as recorded
    }
}

} // namespace stack_server_replay_test
