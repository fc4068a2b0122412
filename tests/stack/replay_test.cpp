// The captures of tests/data, replayed against whole stacks: what the recorded client sent is given to a server, what
// the recorded server sent to a client, each with an application that does what the recorded one did.
//
// Compared is what our side says in Socket.IO packets: their types, ids (which event an acknowledgement is for),
// payloads byte for byte, and attachments, in order for each namespace. Not compared, because each side is free in it:
// how packets are spread over bodies and exchanges, how those of different namespaces interleave, sids, pids, offsets,
// the numbers that stand for an id, and all of Engine.IO (tests/engineio/replay_test.cpp does that).
//
// The one deviation is in `as_we_do_it`.

#include "demo/capture.hpp"
#include "support/catch.hpp"
#include "support/recorded.hpp"
#include "support/socket_lines.hpp"
#include "support/stacks.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace stack_replay_test {

using namespace socketless;
using namespace std::chrono_literals;
using demo::happening;
using demo::happening_kind;
using demo::side;
using engineio::transmit_type;
using socketio::event_type;
using socketio::socket_handle;
using support::capture;
using connection = support::recorded_connection;
using support::lines;

namespace {

//=== what was said ===//

// What both sides of a connection say, packet by packet.
class transcript {
public:
    // With `recovery` the events of the server end with an offset.
    transcript(engineio::revision r, bool recovery)
        : revision_(r == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5),
          recovery_(recovery), assemblers_{socketio::assembler(revision_), socketio::assembler(revision_)} {}

    void add(side from, frame message) {
        auto& assembler = assemblers_[index(from)];
        auto const m = assembler.push(message);
        REQUIRE(m.has_value());
        if (*m) said_[index(from)][std::string((*m)->packet.nsp)].push_back(describe(from, **m));
        assembler.retain();
    }

    // By namespace.
    [[nodiscard]] std::map<std::string, lines> const& said(side from) const { return said_[index(from)]; }

    // The acknowledgements that a side has asked for are counted, in each namespace: by what id is the nth known?
    [[nodiscard]] std::uint64_t id_of(side asker, std::string_view nsp, std::size_t nth) const {
        auto const& ids = ids_.at({asker, std::string(nsp)});
        REQUIRE(nth < ids.size());
        return ids[nth];
    }
    [[nodiscard]] std::size_t place_of(side asker, std::string_view nsp, std::uint64_t id) const {
        auto const& ids = ids_.at({asker, std::string(nsp)});
        auto const found = std::ranges::find(ids, id);
        REQUIRE(found != ids.end());
        return static_cast<std::size_t>(found - ids.begin());
    }

    // What the server has said for recovery.
    std::string pid;
    std::vector<std::string> offsets;

private:
    static std::size_t index(side s) { return s == side::client ? 0 : 1; }

    std::string describe(side from, socketio::message const& m) {
        auto const& p = m.packet;
        std::string line(name(p.type));
        if (p.id && is_event(p.type)) {
            auto& ids = ids_[{from, std::string(p.nsp)}];
            line += " asks " + std::to_string(ids.size());
            ids.push_back(*p.id);
        } else if (p.id) {
            auto const asker = from == side::client ? side::server : side::client;
            line += " answers " + std::to_string(place_of(asker, p.nsp, *p.id));
        }
        line += " " + payload(from, p);
        for (byte_view const a : m.attachments) line += " <" + support::to_hex(as_characters(a)) + ">";
        return line;
    }

    std::string payload(side from, socketio::packet const& p) {
        if (from == side::server && p.type == socketio::packet_type::connect) {
            std::string members;
            for (json::member const m : p.data.members()) members += m.key.get<std::string>().value_or("?") + " ";
            if (auto const secret = p.data.find("pid")) pid = secret->get<std::string>().value_or("");
            return members;
        }
        if (from == side::server && recovery_ && is_event(p.type)) return without_offset(p.data);
        return std::string(p.data.raw());
    }

    std::string without_offset(json::text data) {
        std::string elements;
        json::text last;
        for (json::text const element : data.elements()) {
            if (!last.empty()) elements += std::string(last.raw()) + " ";
            last = element;
        }
        offsets.push_back(last.get<std::string>().value_or(""));
        return elements;
    }

    socketio::revision revision_;
    bool recovery_;
    std::array<socketio::assembler, 2> assemblers_;
    std::array<std::map<std::string, lines>, 2> said_;
    std::map<std::pair<side, std::string>, std::vector<std::uint64_t>> ids_;
};

// The Engine.IO packets of a happening: of a POST, of the answer to a GET, of a WebSocket message.
std::vector<std::pair<engineio::packet, std::string>> packets_of(capture const& all, connection const& c,
                                                                 happening const& h) {
    if (!h.body) return {};
    if (h.kind == happening_kind::websocket_message) {
        auto const p = engineio::decode({h.body->kind, h.body->bytes}, c.revision);
        REQUIRE(p.has_value());
        return {{*p, std::string(p->data)}};
    }
    bool const has_packets = (all.method(h.number) == "POST") == (h.from == side::client);
    if (!has_packets) return {};
    return support::packets_of_body(h.body->bytes, h.body->kind, c.revision);
}

// Gives what is recorded to a transcript.
void read(transcript& into, capture const& all, connection const& c) {
    for (happening const& h : c.happenings)
        for (auto const& [p, data] : packets_of(all, c, h))
            if (p.type == engineio::packet_type::message) into.add(h.from, {p.kind, data});
}

// The packet of a text message, with another id.
std::string with_id(std::string_view message, socketio::revision r, std::uint64_t id) {
    auto p = socketio::decode(message, r);
    REQUIRE(p.has_value());
    p->id = id;
    std::string text;
    REQUIRE(socketio::encode(text, *p).has_value());
    return text;
}

// Whether it is an acknowledgement that `from` has sent; its header then.
std::optional<socketio::header> ack_in(frame message, socketio::revision r) {
    if (message.kind == frame_kind::binary) return std::nullopt;
    auto const h = socketio::decode_header(message.data, r);
    if (!h || !is_ack(h->type)) return std::nullopt;
    return *h;
}

socketio::revision revision_of(connection const& c) {
    return c.revision == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5;
}

bool has_recovery(std::string_view name) {
    return name == "recovery";
}

// Calls f(argument...) with as many arguments as there are: those of the captures have up to six.
template <class F>
void spread(socketio::arguments const& args, F f) {
    std::vector<socketio::argument> a;
    for (socketio::argument const each : args) a.push_back(each);
    switch (a.size()) {
    case 1: return f(a[0]);
    case 2: return f(a[0], a[1]);
    case 6: return f(a[0], a[1], a[2], a[3], a[4], a[5]);
    default: FAIL("no capture has so many arguments");
    }
}

//=== a server ===//

class server_replay;

// What an application does by itself at a time of the capture, rather than in a handler.
struct cue {
    std::uint64_t at;
    std::function<void(server_replay&)> act;
};

// A server before the recorded clients. There is always a GET pending while a client uses long-polling: when the
// recorded one asked again depends on what its server put into one body.
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

    // What was recorded of each connection, and what we make of it.
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
        CHECK(server_.size() == 0);
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

// What the recorded applications did by themselves. (That a connection is cut is recorded: its WebSocket closes.)
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

// The deviation: the reference sends what a recovered client has missed before it answers its CONNECT, we do it after,
// so that a client need not keep what comes before it is connected.
std::map<std::string, lines> as_we_do_it(std::map<std::string, lines> said) {
    for (auto& [nsp, packets] : said) {
        auto const connect =
            std::ranges::find_if(packets, [](std::string const& line) { return line.starts_with("connect sid pid"); });
        if (connect != packets.end()) std::rotate(packets.begin(), connect, connect + 1);
    }
    return said;
}

//=== a client ===//

constexpr std::byte four_bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

// A client before the recorded server's side of one connection after the other. Its POSTs are answered at once; what
// answered a GET is given to the one that is pending.
class client_replay {
public:
    client_replay(capture const& recorded, std::string_view name, std::vector<std::size_t> connections)
        : theirs(recorded.connections[connections.front()].revision, false), ours(theirs), recorded_(recorded),
          name_(name), connections_(std::move(connections)),
          client_(options(first()), support::counting_random(), support::start) {
        for (std::size_t const index : connections_) read(theirs, recorded, recorded.connections[index]);
    }

    // What was recorded of all its connections, and what we make of them.
    transcript theirs;
    transcript ours;

    void run() {
        std::optional<std::size_t> current;
        for (auto const& [index, h] : recorded_.happenings) {
            if (std::ranges::find(connections_, index) == connections_.end()) continue;
            support::run_until(client_, now_, h.time, [this] { drain(); });
            if (current != index) begin(index);
            current = index;
            if (h.from == side::client)
                client_did(h);
            else
                server_did(h);
            drain();
        }
        CHECK(client_.is_idle());
    }

private:
    [[nodiscard]] connection const& first() const { return recorded_.connections[connections_.front()]; }

    static client_options options(connection const& c) {
        client_options o;
        o.transports = c.transports;
        o.revision = c.revision;
        o.force_base64 = c.base64;
        o.reconnection_delay = 150ms;
        o.randomization_factor = 0;
        return o;
    }

    // The application joins its namespaces, or the client comes back by itself.
    void begin(std::size_t index) {
        recorded_connection_ = &recorded_.connections[index];
        channel_open_ = false;
        if (!client_.is_idle()) return;
        auto const& joined = theirs.said(side::client);
        bool const is_refused = name_ == "refused";
        if (!is_refused) root_ = *client_.connect("/"); // of revision 4 nothing is to be seen
        std::string_view const token = is_refused ? "no" : "123";
        if (joined.contains("/admin")) admin_ = *client_.connect("/admin", json::object("token", token));
        if (joined.contains("/nowhere")) CHECK(client_.connect("/nowhere").has_value());
        drain();
    }

    //=== what was recorded ===//

    // What the recorded application did by itself: it left at last.
    void client_did(happening const& h) {
        for (auto const& [p, data] : packets_of(recorded_, *recorded_connection_, h)) {
            if (h.kind == happening_kind::websocket_message) open_channel();
            // Nothing was to be told to the poll in flight: a server answers it with a noop.
            bool const v4 = recorded_connection_->revision == engineio::revision::v4;
            if (p.type == engineio::packet_type::upgrade && get_) answer(v4 ? "6" : "1:6", frame_kind::text);
            if (p.type == engineio::packet_type::message && data == "1" && root_) client_.disconnect(*root_);
        }
    }

    void server_did(happening const& h) {
        if (h.kind == happening_kind::websocket_close) return client_.channel_closed(channel_, now_);
        auto const packets = packets_of(recorded_, *recorded_connection_, h);
        if (packets.empty()) return;
        if (h.kind == happening_kind::websocket_message) {
            open_channel();
            auto const& [p, data] = packets.front();
            std::string out;
            auto const message = translated(p, data);
            REQUIRE(engineio::encode(out, {p.type, p.kind, message}, recorded_connection_->revision).has_value());
            client_.websocket_received(channel_, {h.body->kind, out}, now_);
            return drain(); // while the bytes are there
        }
        std::string body;
        engineio::payload_writer writer(body, std::numeric_limits<std::size_t>::max(),
                                        support::format_of(h.body->kind, recorded_connection_->revision));
        for (auto const& [p, data] : packets) REQUIRE(writer.push({p.type, p.kind, translated(p, data)}) == true);
        if (get_) answer(body, h.body->kind);
    }

    // With our ids.
    std::string translated(engineio::packet const& p, std::string message) {
        if (p.type != engineio::packet_type::message) return message;
        auto const r = revision_of(*recorded_connection_);
        if (auto const ack = ack_in({p.kind, message}, r)) {
            auto const place = theirs.place_of(side::client, ack->nsp, *ack->id);
            message = with_id(message, r, ours.id_of(side::client, ack->nsp, place));
        }
        ours.add(side::server, {p.kind, message});
        return message;
    }

    void open_channel() {
        if (std::exchange(channel_open_, true)) return;
        client_.channel_opened(channel_, now_);
        drain();
    }

    void answer(std::string body, frame_kind kind) {
        auto const exchange = *std::exchange(get_, std::nullopt);
        client_.http_response(exchange, 200, kind == frame_kind::binary, body, now_);
        drain();
    }

    //=== what we say ===//

    void drain() {
        for (;;) {
            if (auto e = client_.poll_event()) {
                handle(*e);
            } else if (auto const t = client_.poll_transmit(buffer_)) {
                take(*t);
            } else if (!posts_.empty()) {
                auto const exchange = posts_.back();
                posts_.pop_back();
                client_.http_response(exchange, 200, false, {}, now_);
            } else {
                return;
            }
        }
    }

    void take(engineio::transmit const& t) {
        switch (t.type) {
        case transmit_type::get: get_ = t.id; break;
        case transmit_type::post:
            for (auto const& [p, data] : support::packets_of_body(t.data.data, t.data.kind, first().revision)) said(p);
            posts_.push_back(t.id);
            break;
        case transmit_type::open_websocket: channel_ = t.id; break;
        case transmit_type::send: {
            auto const p = engineio::decode(t.data, first().revision);
            REQUIRE(p.has_value());
            said(*p);
            break;
        }
        case transmit_type::abort:
            if (get_ == t.id) get_.reset();
            break;
        default: break;
        }
    }

    void said(engineio::packet const& p) {
        if (p.type == engineio::packet_type::message) ours.add(side::client, {p.kind, p.data});
    }

    //=== the application ===//

    void handle(client::event& e) {
        using enum event_type;
        if (e.type == connected && name_ != "recovery" && name_ != "server-leaves") begin_talk();
        if (e.type == event && e.name() == "question") {
            auto const question = *e.args().begin();
            CHECK(client_.acknowledge(e.ack, json::object("a", "yes", "q", question)).has_value());
        }
        if (e.type == event && e.name() == "answered" && admin_) ask(*admin_, "from admin");
        if (e.type == ack) answered(e);
    }

    // Once all namespaces are joined.
    void begin_talk() {
        if (admin_ && (!client_.is_connected(*root_) || !client_.is_connected(*admin_))) return;
        std::array<std::byte, 1024> kilobyte{};
        for (std::size_t i = 0; i != kilobyte.size(); ++i) kilobyte[i] = static_cast<std::byte>(i);
        auto const nested = json::object("deep", "é😀");
        echo("plain", 1, -2.5, true, nullptr, std::make_tuple("nested", nested));
        echo(four_bytes, json::object("file", kilobyte, "name", "kb"));
        ask(*root_, "with ack");
    }

    void answered(client::event const& e) {
        if (admin_ == e.socket) return client_.disconnect(e.socket);
        if (e.get<std::string>()) return ask(*root_, json::object("bin", four_bytes));
        for (int i = 0; i != 20; ++i) echo("burst", i);
        CHECK(client_.emit(*root_, "ask-me").has_value());
    }

    template <class... Args>
    void echo(Args const&... args) {
        CHECK(client_.emit(*root_, "echo", args...).has_value());
    }
    template <class Arg>
    void ask(socket_handle socket, Arg const& arg) {
        CHECK(client_.emit_with_ack(socket, std::nullopt, "echo", arg).has_value());
    }

    capture const& recorded_;
    std::string_view name_;
    std::vector<std::size_t> connections_;
    client client_;
    time_point now_ = support::start;
    std::string buffer_;
    connection const* recorded_connection_ = nullptr;
    std::optional<socket_handle> root_;
    std::optional<socket_handle> admin_;
    std::optional<engineio::exchange_id> get_;
    std::vector<engineio::exchange_id> posts_;
    engineio::channel_id channel_ = 0;
    bool channel_open_ = false;
};

constexpr char const* all_captures[] = {"websocket",         "polling",           "upgrade", "protocol3-websocket",
                                        "protocol3-polling", "protocol3-upgrade", "refused", "recovery",
                                        "server-leaves"};

std::size_t packets(std::map<std::string, lines> const& said) {
    std::size_t n = 0;
    for (auto const& [nsp, all] : said) n += all.size();
    return n;
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

TEST_CASE("a client says to a recorded server what the reference said", "[replay]") {
    for (std::string const name : all_captures) {
        capture const recorded(name);
        // The two connections of "refused" are those of two clients, all others of one.
        std::vector<std::vector<std::size_t>> clients(1);
        for (std::size_t i = 0; i != recorded.connections.size(); ++i) {
            if (i != 0 && name == "refused") clients.emplace_back();
            clients.back().push_back(i);
        }
        for (auto const& connections : clients) {
            INFO(name << ", line " << recorded.connections[connections.front()].happenings.front().line);
            client_replay replay(recorded, name, connections);
            replay.run();
            CHECK(packets(replay.theirs.said(side::client)) > 0);
            CHECK(replay.ours.said(side::client) == replay.theirs.said(side::client));
            CHECK(replay.ours.said(side::server) == replay.theirs.said(side::server)); // all has been given to it
        }
    }
}

} // namespace stack_replay_test
