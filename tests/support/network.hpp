// A tiny network: a server and some clients joined in memory, under a virtual clock and a seed. It delays, cuts and loses
// what they send, and holds them at every step to what sessions promise.
#pragma once

#include "support/ledger.hpp"
#include "support/mutations.hpp"
#include "support/network_plan.hpp"
#include "support/random.hpp"

#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

class network {
public:
    // Adds to `figures`; writes all that happens to `trace` where there is one.
    network(std::uint64_t seed, network_figures& figures, std::string* trace = nullptr)
        : random_(seed), plan_(draw_plan(random_)), figures_(figures), trace_(trace),
          server_(plan_.server, [this](std::span<std::byte> bytes) {
              for (std::byte& b : bytes) b = static_cast<std::byte>(random_.byte());
          }) {
        for (auto const& options : plan_.clients) clients_.emplace_back(options);
    }

    network(network const&) = delete;
    network& operator=(network const&) = delete;

    // Runs the schedule to its end. Returns what was wrong with it; nothing if all was well.
    std::string run() {
        ++figures_.schedules;
        note("plan: ", plan_.calm ? "calm" : plan_.tight ? "tight" : "rough", ", ping ", plan_.server.ping_interval.count(), "+",
             plan_.server.ping_timeout.count(), " ms, latency ", plan_.latency.count(), " us, max_payload ",
             plan_.server.max_payload, ", max_queued ", plan_.server.max_queued);
        for (std::size_t i = 0; i != clients_.size(); ++i)
            after(microseconds(random_.below(20'000)), [this, i] { open(i); });
        for (std::size_t i = 0; i != plan_.actions; ++i)
            after(microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count()))), [this] { act(); });
        if (chance(fault::client_frozen) || chance(fault::server_frozen)) plan_freeze();
        after(plan_.duration, [this] { quiesce(1'000); });
        std::size_t steps = 0;
        while (!agenda_.empty() && ledger_.error().empty()) {
            auto step = take_next();
            now_ = std::max(now_, step.at);
            step.action();
            if (++steps == 300'000) ledger_.fail("the schedule does not end");
        }
        figures_.steps += steps;
        if (ledger_.error().empty()) check_end();
        note("end: ", ledger_.error());
        return ledger_.error();
    }

private:
    //=== the clock ===//

    struct timed {
        time_point at;
        std::uint64_t number;
        std::function<void()> action;

        // The first is the greatest, as heaps have it.
        friend bool operator<(timed const& a, timed const& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.number > b.number;
        }
    };

    void at(time_point when, std::function<void()> action) {
        agenda_.push_back({when, ++last_number_, std::move(action)});
        std::push_heap(agenda_.begin(), agenda_.end());
    }
    void after(microseconds delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

    timed take_next() {
        std::pop_heap(agenda_.begin(), agenda_.end());
        timed next = std::move(agenda_.back());
        agenda_.pop_back();
        return next;
    }

    // Most things are much faster than the slowest.
    microseconds latency() {
        auto const longest = static_cast<std::size_t>(plan_.latency.count());
        return microseconds(random_.below((random_.one_in(6) ? longest : longest / 6) + 1));
    }

    // A side that is frozen gets nothing, and all of it in order when it thaws.
    struct peer {
        bool frozen = false;
        std::vector<std::function<void()>> inbox;
        // When its timer is set to go off.
        std::optional<time_point> timer;
    };

    void deliver(peer& p, std::function<void()> action) {
        if (p.frozen)
            p.inbox.push_back(std::move(action));
        else
            action();
    }

    void freeze(peer& p, microseconds how_long) {
        p.frozen = true;
        after(how_long, [this, &p] {
            note("thaw");
            p.frozen = false;
            auto const missed = std::exchange(p.inbox, {});
            for (auto const& action : missed) action();
        });
    }

    void plan_freeze() {
        after(microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count()))), [this] {
            auto const heartbeat = plan_.server.ping_interval + plan_.server.ping_timeout;
            auto const how_long = microseconds(random_.below(static_cast<std::size_t>(microseconds(heartbeat).count()) * 2));
            if (plan_.has(fault::server_frozen)) {
                if (server_peer_.frozen) return;
                did(fault::server_frozen);
                for (attempt& a : ledger_.attempts()) a.faulty = true;
                freeze(server_peer_, how_long);
            } else {
                client& c = clients_[random_.below(clients_.size())];
                if (c.side.frozen) return;
                did(fault::client_frozen);
                if (c.attempt) ledger_.at(*c.attempt).faulty = true;
                freeze(c.side, how_long);
            }
        });
    }

    //=== faults ===//

    [[nodiscard]] bool chance(fault f) {
        return plan_.fault_rate != 0 && !plan_.calm && plan_.has(f) && random_.one_in(plan_.fault_rate);
    }
    // Of those that a session goes on without.
    [[nodiscard]] bool harmless_chance(fault f) { return plan_.has(f) && random_.one_in(plan_.fault_rate); }

    void did(fault f) {
        ++figures_.faults[static_cast<std::size_t>(f)];
        note("FAULT: ", fault_names[static_cast<std::size_t>(f)]);
    }
    void did(fault f, std::size_t attempt) {
        did(f);
        ledger_.at(attempt).faulty = true;
    }

    //=== timers ===//

    // A timer that is set already is left: it will have been a spurious call.
    template <class Call>
    void set_timer(peer& p, std::optional<time_point> next, Call call) {
        if (!next || (p.timer && *p.timer <= *next)) return;
        bool const late = plan_.lateness.count() != 0 && random_.one_in(4);
        auto const lateness = microseconds(late ? random_.below(static_cast<std::size_t>(plan_.lateness.count())) : 0);
        if (late) ++figures_.faults[static_cast<std::size_t>(fault::timer_late)];
        auto const due = std::max(*next, now_) + lateness;
        p.timer = due;
        at(due, [this, &p, due, call] {
            if (p.timer != due) return;
            p.timer.reset();
            deliver(p, call);
        });
    }

    void client_timeout(std::size_t i) {
        client& c = clients_[i];
        note("client ", i, ": timeout");
        c.session.handle_timeout(now_);
        pump_client(i);
        auto const next = c.session.poll_timeout();
        ledger_.expect(!next || *next > now_, "a client asks for a timeout that it has had");
    }

    void server_timeout() {
        note("server: timeout");
        server_.handle_timeout(now_);
        pump_server();
        auto const next = server_.poll_timeout();
        ledger_.expect(!next || *next > now_, "the server asks for a timeout that it has had");
    }

    //=== exchanges ===//

    struct exchange {
        std::size_t client;
        std::size_t attempt;
        engineio::exchange_id client_id;
        bool is_get;
        bool is_binary;
        std::string target;
        std::string body;
        time_point arrival{};
        // The server's name for it, while it is under way there.
        std::optional<engineio::exchange_id> server_id = std::nullopt;
        bool client_done = false;
        bool is_lost = false; // where nothing that happens is told to the client
    };

    void begin_exchange(std::size_t i, engineio::transmit const& t) {
        client& c = clients_[i];
        bool const is_get = t.type == engineio::transmit_type::get;
        auto& under_way = is_get ? c.get : c.post;
        ledger_.expect(!under_way, "a second exchange of its kind is begun");
        if (!is_get) ledger_.check_body(t.data, c.session.options().revision, plan_.server.max_payload);
        ++figures_.exchanges;
        std::size_t const x = exchanges_.size();
        under_way = x;
        exchanges_.push_back({i, *c.attempt, t.id, is_get, t.data.kind == socketless::frame_kind::binary,
                              std::string(t.target), std::string(t.data.data)});
        exchange& e = exchanges_.back();
        e.arrival = now_ + latency();
        if (chance(fault::request_lost)) {
            did(fault::request_lost, e.attempt);
            return at(e.arrival, [this, x] { fail_exchange(x); });
        }
        if (!is_get && chance(fault::request_cut)) {
            did(fault::request_cut, e.attempt);
            ledger_.at(e.attempt).request_cut = true;
            e.body = cut(e.body, c.session.options().revision);
        }
        at(e.arrival, [this, x] { deliver(server_peer_, [this, x] { request(x); }); });
        if (chance(fault::exchange_dropped)) at(e.arrival + latency(), [this, x] { drop_exchange(x); });
    }

    // A body that breaks off, so that it cannot be taken for a whole one.
    std::string cut(std::string body, engineio::revision r) {
        if (body.empty()) return body;
        if (r == engineio::revision::v4)
            body.resize(body.rfind(engineio::packet_separator, random_.below(body.size())) + 1);
        else
            body.pop_back();
        return body;
    }

    void request(std::size_t x) {
        exchange& e = exchanges_[x];
        e.server_id = take_name(server_exchanges_, x);
        note("server <- ", e.is_get ? "GET " : "POST ", e.target, " as exchange ", *e.server_id, ": ", e.body);
        origin_ = e.attempt;
        exact_copy const body(e.body);
        server_.http_received({.exchange = *e.server_id,
                               .method = e.is_get ? engineio::http_method::get : engineio::http_method::post,
                               .target = e.target,
                               .is_binary = e.is_binary,
                               .body = body.span()},
                              now_);
        pump_server();
        ledger_.expect(e.is_get || !e.server_id, "a POST is not answered");
    }

    void respond(engineio::transmit const& t) {
        bool const known = t.id < server_exchanges_.size() && server_exchanges_[t.id];
        if (!known) return ledger_.fail("an exchange is answered that is not under way");
        std::size_t const x = *server_exchanges_[t.id];
        server_exchanges_[t.id].reset();
        exchange& e = exchanges_[x];
        e.server_id.reset();
        ledger_.check_response(t, e.is_get, plan_.server.max_payload);
        if (e.client_done || e.is_lost) return;
        e.is_binary = t.content == engineio::content_type::binary;
        e.body = t.data.data;
        int const status = t.status;
        if (chance(fault::response_lost)) {
            did(fault::response_lost, e.attempt);
            return after(latency(), [this, x] { fail_exchange(x); });
        }
        if (e.is_get && status == 200 && chance(fault::response_cut)) {
            did(fault::response_cut, e.attempt);
            ledger_.at(e.attempt).response_cut = true;
            e.body = cut(e.body, clients_[e.client].session.options().revision);
        }
        after(latency(), [this, x, status] {
            deliver(clients_[exchanges_[x].client].side, [this, x, status] { response(x, status); });
        });
    }

    void response(std::size_t x, int status) {
        exchange& e = exchanges_[x];
        client& c = clients_[e.client];
        if (std::exchange(e.client_done, true)) return;
        note("client ", e.client, " <- ", status, " for ", e.is_get ? "GET " : "POST ", e.client_id, ": ", e.body);
        (e.is_get ? c.get : c.post).reset();
        if (status != 200) ledger_.at(e.attempt).exchange_failed = true;
        exact_copy const body(e.body);
        c.session.http_response(e.client_id, status, e.is_binary, body.span(), now_);
        pump_client(e.client);
    }

    void fail_exchange(std::size_t x) {
        deliver(clients_[exchanges_[x].client].side, [this, x] {
            exchange& e = exchanges_[x];
            client& c = clients_[e.client];
            if (std::exchange(e.client_done, true)) return;
            note("client ", e.client, " <- failed: exchange ", e.client_id);
            (e.is_get ? c.get : c.post).reset();
            ledger_.at(e.attempt).exchange_failed = true;
            c.session.http_failed(e.client_id, now_);
            pump_client(e.client);
        });
    }

    // The connection breaks while the exchange is under way.
    void drop_exchange(std::size_t x) {
        exchange& e = exchanges_[x];
        if (e.client_done || e.is_lost) return;
        did(fault::exchange_dropped, e.attempt);
        e.is_lost = true;
        abort_at_server(x, latency());
        after(latency(), [this, x] { fail_exchange(x); });
    }

    void abort_at_server(std::size_t x, microseconds delay) {
        at(std::max(now_ + delay, exchanges_[x].arrival), [this, x] {
            deliver(server_peer_, [this, x] {
                exchange& e = exchanges_[x];
                if (!e.server_id) return;
                note("server <- aborted: exchange ", *e.server_id);
                ++figures_.aborted_exchanges;
                ledger_.at(e.attempt).exchange_aborted = true;
                auto const id = *std::exchange(e.server_id, std::nullopt);
                server_exchanges_[id].reset();
                server_.http_aborted(id, now_);
                pump_server();
            });
        });
    }

    void abort_by_client(std::size_t i, engineio::exchange_id id) {
        client& c = clients_[i];
        for (auto* const under_way : {&c.get, &c.post}) {
            if (!*under_way || exchanges_[**under_way].client_id != id) continue;
            std::size_t const x = **under_way;
            under_way->reset();
            exchanges_[x].client_done = true;
            return abort_at_server(x, latency());
        }
        ledger_.fail("an exchange is given up that is not under way");
    }

    //=== channels ===//

    // One direction of a channel.
    struct line {
        time_point last_arrival{};
        std::string bytes; // of a stream: what is yet to arrive
    };

    struct channel {
        std::size_t client;
        std::size_t attempt;
        engineio::channel_id client_id;
        bool is_stream;
        std::string target;
        bool client_end = true;
        std::optional<engineio::channel_id> server_id = std::nullopt;
        bool is_dead = false;
        bool client_paused = false;
        bool server_paused = false;
        line up = {};
        line down = {};
    };

    // All that goes one way arrives in the order in which it was sent.
    time_point arrival(line& l) { return l.last_arrival = std::max(l.last_arrival, now_ + latency()); }

    void begin_channel(std::size_t i, engineio::transmit const& t) {
        client& c = clients_[i];
        std::size_t const n = channels_.size();
        channels_.push_back({i, *c.attempt, t.id, t.type == engineio::transmit_type::open_stream, std::string(t.target)});
        channel& ch = channels_.back();
        bool const is_candidate = c.session.is_open() || !c.session.id().empty();
        auto const opening_fault = [&](fault f) { return is_candidate ? harmless_chance(f) : chance(f); };
        if (opening_fault(fault::channel_never_opens)) {
            is_candidate ? did(fault::channel_never_opens) : did(fault::channel_never_opens, ch.attempt);
            return;
        }
        if (opening_fault(fault::channel_refused)) {
            is_candidate ? did(fault::channel_refused) : did(fault::channel_refused, ch.attempt);
            return tell_client_closed(n);
        }
        if (chance(fault::channel_opens_late)) {
            did(fault::channel_opens_late, ch.attempt);
            ch.up.last_arrival = now_ + c.session.options().upgrade_timeout * random_.between(1, 4) / 2;
        }
        at(arrival(ch.up), [this, n] { deliver(server_peer_, [this, n] { channel_at_server(n); }); });
        if (chance(fault::channel_dies)) after(some_time(), [this, n] { break_channel(n, fault::channel_dies); });
        if (chance(fault::channel_goes_silent))
            after(some_time(), [this, n] { break_channel(n, fault::channel_goes_silent); });
    }

    microseconds some_time() {
        return microseconds(random_.below(static_cast<std::size_t>(plan_.duration.count())) >> random_.below(6));
    }

    void channel_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (ch.is_dead) return;
        if (!ch.is_stream && !random_.one_in(8) && server_.check_websocket(ch.target)) {
            note("server: refuses the WebSocket ", ch.target);
            return tell_client_closed(n);
        }
        ch.server_id = take_name(server_channels_, n);
        note("server <- opened: channel ", *ch.server_id, " ", ch.target);
        at(arrival(ch.down), [this, n] {
            deliver(clients_[channels_[n].client].side, [this, n] {
                channel& opened = channels_[n];
                if (!opened.client_end || opened.is_dead) return;
                note("client ", opened.client, " <- opened: channel ", opened.client_id);
                clients_[opened.client].session.channel_opened(opened.client_id, now_);
                pump_client(opened.client);
            });
        });
        origin_ = ch.attempt;
        if (ch.is_stream)
            server_.stream_opened(*ch.server_id, now_);
        else
            server_.websocket_opened(*ch.server_id, ch.target, now_);
        pump_server();
    }

    void send_on(std::size_t n, socketless::frame f, bool is_up) {
        channel& ch = channels_[n];
        bool& paused = is_up ? ch.client_paused : ch.server_paused;
        ledger_.expect(!paused, "something is sent on a channel that is paused");
        if (!ch.is_stream) ledger_.expect(f.kind == socketless::frame_kind::binary || f.data != "6", "a noop on a WebSocket");
        if (plan_.write_time.count() != 0 && random_.one_in(2)) pause(n, is_up);
        if (ch.is_dead) return;
        line& l = is_up ? ch.up : ch.down;
        if (ch.is_stream) {
            l.bytes += f.data;
            return at(arrival(l), [this, n, is_up] { arrive(n, is_up, {}, {}); });
        }
        at(arrival(l), [this, n, is_up, kind = f.kind, data = std::string(f.data)] { arrive(n, is_up, kind, data); });
    }

    void arrive(std::size_t n, bool is_up, socketless::frame_kind kind, std::string const& data) {
        auto const receive = [this, n, is_up, kind, data] { is_up ? receive_at_server(n, kind, data) : receive_at_client(n, kind, data); };
        deliver(is_up ? server_peer_ : clients_[channels_[n].client].side, receive);
    }

    // The next chunk of a stream, of whatever size; the rest comes at the same time.
    std::string take_chunk(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        std::string& bytes = is_up ? ch.up.bytes : ch.down.bytes;
        std::size_t const size = random_.one_in(2) ? bytes.size() : random_.below(bytes.size() + 1);
        std::string chunk = bytes.substr(0, size);
        bytes.erase(0, size);
        if (!bytes.empty()) at(now_, [this, n, is_up] { arrive(n, is_up, {}, {}); });
        return chunk;
    }

    void receive_at_server(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.server_id || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, true) : data);
        note("server <- channel ", *ch.server_id, ": ", bytes.view());
        origin_ = ch.attempt;
        if (ch.is_stream)
            server_.stream_received(*ch.server_id, bytes.view(), now_);
        else
            server_.websocket_received(*ch.server_id, {kind, bytes.view()}, now_);
        pump_server();
    }

    void receive_at_client(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.client_end || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, false) : data);
        note("client ", ch.client, " <- channel ", ch.client_id, ": ", bytes.view());
        auto& session = clients_[ch.client].session;
        if (ch.is_stream)
            session.stream_received(ch.client_id, bytes.view(), now_);
        else
            session.websocket_received(ch.client_id, {kind, bytes.view()}, now_);
        pump_client(ch.client);
    }

    // A write is under way.
    void pause(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        (is_up ? ch.client_paused : ch.server_paused) = true;
        if (is_up)
            clients_[ch.client].session.pause(ch.client_id);
        else
            server_.pause(*ch.server_id);
        auto const how_long = microseconds(1 + random_.below(static_cast<std::size_t>(plan_.write_time.count())));
        after(how_long, [this, n, is_up] {
            deliver(is_up ? server_peer_ : clients_[channels_[n].client].side, [this, n, is_up] { resume(n, is_up); });
        });
    }

    void resume(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        if (is_up) {
            ch.client_paused = false;
            clients_[ch.client].session.resume(ch.client_id);
            return pump_client(ch.client);
        }
        ch.server_paused = false;
        if (!ch.server_id) return;
        server_.resume(*ch.server_id);
        pump_server();
    }

    void close_by_client(std::size_t n) {
        channel& ch = channels_[n];
        ch.client_end = false;
        if (!ch.is_dead) tell_server_closed(n);
    }

    void close_by_server(std::size_t n) {
        channel& ch = channels_[n];
        server_channels_[*ch.server_id].reset();
        ch.server_id.reset();
        if (!ch.is_dead) tell_client_closed(n);
    }

    void tell_client_closed(std::size_t n) {
        at(arrival(channels_[n].down), [this, n] {
            deliver(clients_[channels_[n].client].side, [this, n] { closed_at_client(n); });
        });
    }

    void closed_at_client(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.client_end) return;
        // What is left of a stream comes first.
        if (!ch.down.bytes.empty() && !ch.is_dead) return tell_client_closed(n);
        note("client ", ch.client, " <- closed: channel ", ch.client_id);
        ch.client_end = false;
        ledger_.at(ch.attempt).channel_closed = true;
        clients_[ch.client].session.channel_closed(ch.client_id, now_);
        pump_client(ch.client);
    }

    void tell_server_closed(std::size_t n) {
        at(arrival(channels_[n].up), [this, n] { deliver(server_peer_, [this, n] { closed_at_server(n); }); });
    }

    void closed_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.server_id) return;
        if (!ch.up.bytes.empty() && !ch.is_dead) return tell_server_closed(n);
        note("server <- closed: channel ", *ch.server_id);
        ledger_.at(ch.attempt).channel_closed_at_server = true;
        auto const id = *std::exchange(ch.server_id, std::nullopt);
        server_channels_[id].reset();
        server_.channel_closed(id, now_);
        pump_server();
    }

    // The channel is lost, with all that is on its way. If it goes silent, one side or none comes to know.
    void break_channel(std::size_t n, fault f) {
        channel& ch = channels_[n];
        if (ch.is_dead || (!ch.client_end && !ch.server_id)) return;
        client const& c = clients_[ch.client];
        // A candidate that has not been moved to is no loss, if its client is told in time.
        bool const harmless = f == fault::channel_dies && c.session.is_open() && !c.side.frozen &&
                              c.session.transport() == engineio::transport::polling;
        harmless ? did(f) : did(f, ch.attempt);
        ch.is_dead = true;
        bool const dies = f == fault::channel_dies;
        std::size_t const who = random_.below(3);
        if (dies || who == 1) tell_server_closed(n);
        if (harmless) return closed_at_client(n);
        if (dies || who == 0) tell_client_closed(n);
    }

    //=== names that the server is given: the lowest that is free ===//

    using names = std::vector<std::optional<std::size_t>>;

    static std::uint64_t take_name(names& all, std::size_t thing) {
        auto const free = std::find(all.begin(), all.end(), std::nullopt);
        auto const name = static_cast<std::size_t>(free - all.begin());
        if (free == all.end())
            all.emplace_back(thing);
        else
            *free = thing;
        return name;
    }

    //=== the clients ===//

    struct client {
        explicit client(engineio::client_options const& options) : session(options) {}

        engineio::client_session session;
        peer side;
        // What it is at, since it was first opened.
        std::optional<std::size_t> attempt;
        std::optional<std::size_t> get;
        std::optional<std::size_t> post;
    };

    void open(std::size_t i) {
        client& c = clients_[i];
        deliver(c.side, [this, i, &c] {
            if (!c.session.is_closed() || is_ending_) return;
            ++figures_.attempts;
            note("client ", i, ": open");
            c.attempt = ledger_.begin_attempt(i, server_peer_.frozen || plan_.tight);
            ledger_.at(*c.attempt).may_open = may_open(c.session.options());
            ledger_.at(*c.attempt).open_deadline = now_ + c.session.options().open_timeout;
            c.session.open(now_);
            pump_client(i);
        });
    }

    [[nodiscard]] bool may_open(engineio::client_options const& o) const {
        bool const v3 = o.revision == engineio::revision::v3;
        if (v3 && !plan_.server.allow_v3) return false;
        for (auto const t : o.transports) {
            if (v3 && t == engineio::transport::webtransport) continue;
            if (plan_.server.transports.contains(t)) return true;
            if (!o.try_all_transports) return false;
        }
        return false;
    }

    void pump_client(std::size_t i) {
        client& c = clients_[i];
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("a client does not run dry");
            if (auto const e = c.session.poll_event())
                client_event(i, *e);
            else if (auto const t = c.session.poll_transmit(buffer_))
                client_transmit(i, *t);
            else
                break;
        }
        ledger_.expect(c.session.queued() <= c.session.options().max_queued, "a client queues more than it may");
        if (c.session.is_closed()) check_nothing_left(i);
        set_timer(c.side, c.session.poll_timeout(), [this, i] { client_timeout(i); });
    }

    void client_event(std::size_t i, engineio::event const& e) {
        client& c = clients_[i];
        std::size_t const a = *c.attempt;
        note("client ", i, ": ", event_names[static_cast<std::size_t>(e.type)], " ", name(e.transport), " ",
             e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        switch (e.type) {
        case engineio::event_type::opened:
            ledger_.opened_at_client(a, e.handshake.sid);
            ++figures_.opened_over[static_cast<std::size_t>(e.transport)];
            ++figures_.opened_with[c.session.options().revision == engineio::revision::v4];
            if (random_.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::message:
            ++figures_.messages_down;
            ledger_.received_at_client(a, e.message);
            if (random_.one_in(30)) client_sends(i);
            if (random_.one_in(500)) close_client(i);
            break;
        case engineio::event_type::upgraded:
            ++figures_.upgrades;
            ++figures_.upgraded_to[static_cast<std::size_t>(e.transport)];
            if (random_.one_in(3)) client_sends(i);
            break;
        case engineio::event_type::upgrade_failed: ++figures_.upgrades_failed; break;
        case engineio::event_type::closed:
            ++figures_.client_reasons[static_cast<std::size_t>(e.reason)];
            ledger_.closed_at_client(a, e.reason, now_);
            if (random_.one_in(2)) after(microseconds(random_.below(200'000)), [this, i] { open(i); });
            break;
        default: break;
        }
    }

    void client_transmit(std::size_t i, engineio::transmit const& t) {
        note("client ", i, " -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.target, " ", t.data.data);
        switch (t.type) {
        case engineio::transmit_type::get:
        case engineio::transmit_type::post: return begin_exchange(i, t);
        case engineio::transmit_type::open_websocket:
        case engineio::transmit_type::open_stream: return begin_channel(i, t);
        case engineio::transmit_type::abort: return abort_by_client(i, t.id);
        default: break;
        }
        for (std::size_t n = channels_.size(); n-- != 0;) {
            if (channels_[n].client != i || channels_[n].client_id != t.id || !channels_[n].client_end) continue;
            return t.type == engineio::transmit_type::send ? send_on(n, t.data, true) : close_by_client(n);
        }
        ledger_.fail("a client uses a channel that is not open");
    }

    void check_nothing_left(std::size_t i) {
        client& c = clients_[i];
        ledger_.expect(!c.get && !c.post, "a closed client has an exchange under way");
        ledger_.expect(!c.session.poll_timeout() && c.session.queued() == 0, "a closed client waits for something");
        for (channel const& ch : channels_)
            ledger_.expect(ch.client != i || !ch.client_end, "a closed client has a channel open");
    }

    //=== the server ===//

    void pump_server() {
        for (std::size_t steps = 0; ledger_.error().empty(); ++steps) {
            if (steps == 100'000) return ledger_.fail("the server does not run dry");
            if (auto const e = server_.poll_event())
                server_event(*e);
            else if (auto const t = server_.poll_transmit(server_buffer_))
                server_transmit(*t);
            else
                break;
        }
        set_timer(server_peer_, server_.poll_timeout(), [this] { server_timeout(); });
    }

    void server_event(engineio::server_event const& s) {
        engineio::event const& e = s.event;
        note("server, session ", s.session.index, ": ", event_names[static_cast<std::size_t>(e.type)], " ",
             name(e.transport), " ", e.type == engineio::event_type::closed ? name(e.reason) : e.message.data);
        if (e.type == engineio::event_type::opened) {
            ledger_.opened_at_server(s.session, server_.find(s.session)->id(), origin_, plan_.server.initial_message);
            if (random_.one_in(3)) server_sends(ledger_.connections().size() - 1);
        }
        auto const n = ledger_.connection_of(s.session);
        if (!n) return ledger_.fail("an event of a session that was not opened, or has ended");
        if (e.type == engineio::event_type::message) {
            ++figures_.messages_up;
            ledger_.received_at_server(*n, e.message);
            if (random_.one_in(30)) server_sends(*n);
            if (random_.one_in(500)) close_at_server(*n);
        } else if (e.type == engineio::event_type::closed) {
            ++figures_.server_reasons[static_cast<std::size_t>(e.reason)];
            ledger_.closed_at_server(*n, e.reason);
        } else if (auto const* const session = server_.find(s.session)) {
            ledger_.expect(session->queued() <= plan_.server.max_queued, "a session queues more than it may");
        }
    }

    void server_transmit(engineio::transmit const& t) {
        note("server -> ", transmit_names[static_cast<std::size_t>(t.type)], " ", t.id, " ", t.status, " ", t.data.data);
        if (t.type == engineio::transmit_type::respond) return respond(t);
        bool const known = t.id < server_channels_.size() && server_channels_[t.id];
        if (!known) return ledger_.fail("the server uses a channel that is not open");
        std::size_t const n = *server_channels_[t.id];
        if (t.type == engineio::transmit_type::send)
            send_on(n, t.data, false);
        else if (t.type == engineio::transmit_type::close)
            close_by_server(n);
        else
            ledger_.fail("the server begins an exchange");
    }

    //=== the application ===//

    void act() {
        std::size_t const i = random_.below(clients_.size());
        switch (random_.below(12)) {
        case 0: return broadcast();
        case 1: return random_.one_in(6) ? close_client_in_turn(i) : open(i);
        case 2: return random_.one_in(6) ? close_any_at_server() : open(i);
        case 3:
        case 4:
        case 5:
        case 6:
            return deliver(clients_[i].side, [this, i] {
                for (std::size_t left = burst(); left != 0; --left) client_sends(i);
                if (clients_[i].attempt) pump_client(i);
            });
        default:
            return deliver(server_peer_, [this] {
                auto const n = ledger_.any_at_server(random_);
                if (!n) return;
                for (std::size_t left = burst(); left != 0; --left) server_sends(*n);
                pump_server();
            });
        }
    }

    std::size_t burst() { return random_.one_in(5) ? 1 + random_.below(20) : 1; }

    message next_message(std::size_t attempt) {
        bool const too_large = chance(fault::message_too_large) && random_.one_in(5);
        if (too_large) {
            did(fault::message_too_large, attempt);
            ledger_.at(attempt).message_too_large = true;
        }
        std::size_t const size =
            too_large ? plan_.server.max_payload + random_.below(3)
                      : random_.below(std::min(plan_.longest_message, random_.one_in(10) ? plan_.longest_message : 30));
        if (random_.one_in(3)) return {socketless::frame_kind::binary, random_.bytes(size)};
        static constexpr std::string_view pieces[] = {"a", "\"", "\\", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", ":", "4", "b"};
        std::string text = std::to_string(++last_message_);
        while (text.size() < size) text += random_.pick(pieces);
        if (random_.one_in(60)) text += engineio::packet_separator;
        return {socketless::frame_kind::text, text};
    }

    void client_sends(std::size_t i) {
        client& c = clients_[i];
        if (!c.attempt) return;
        bool const is_open = c.session.is_open();
        message const m = next_message(*c.attempt);
        bool const is_volatile = random_.one_in(4);
        auto const sent = is_volatile          ? c.session.send_volatile({m.kind, m.data}, now_)
                          : random_.one_in(6)  ? send_shared(c.session, m)
                                               : c.session.send({m.kind, m.data}, now_);
        note("client ", i, ": sends ", is_volatile ? "volatile " : "", sent ? "" : name(sent.error().code), " ", m.data);
        if (is_volatile) ++(sent ? figures_.volatiles_sent : figures_.volatiles_dropped);
        if (sent) return ledger_.sent_by_client(*c.attempt, m);
        ledger_.refused_at_client(*c.attempt, sent.error().code, is_open);
    }

    // One with a record separator would be passed over on the way.
    socketless::result<void> send_shared(engineio::client_session& session, message const& m) {
        if (m.data.find(engineio::packet_separator) != std::string::npos) return session.send({m.kind, m.data}, now_);
        return session.send(engineio::shared_message({m.kind, m.data}), now_);
    }

    void server_sends(std::size_t n) {
        connection const& connection = ledger_.connections()[n];
        message const m = next_message(connection.attempt);
        bool const is_volatile = random_.one_in(4);
        auto const sent = is_volatile ? server_.send_volatile(connection.handle, socketless::frame{m.kind, m.data})
                                      : server_.send(connection.handle, socketless::frame{m.kind, m.data});
        note("server, session ", connection.handle.index, ": sends ", is_volatile ? "volatile " : "",
             sent ? "" : name(sent.error().code), " ", m.data);
        if (is_volatile) ++(sent ? figures_.volatiles_sent : figures_.volatiles_dropped);
        if (sent) return ledger_.sent_by_server(n, m);
        ledger_.refused_at_server(n, sent.error().code);
    }

    void broadcast() {
        deliver(server_peer_, [this] {
            message m = {socketless::frame_kind::text, "to all " + std::to_string(++last_message_)};
            if (random_.one_in(2)) m = {socketless::frame_kind::binary, random_.bytes(random_.below(20))};
            engineio::shared_message const shared({m.kind, m.data});
            note("server: broadcasts ", m.data);
            for (std::size_t n = 0; n != ledger_.connections().size(); ++n) {
                if (ledger_.connections()[n].closed) continue;
                auto const sent = random_.one_in(4) ? server_.send_volatile(ledger_.connections()[n].handle, shared)
                                                    : server_.send(ledger_.connections()[n].handle, shared);
                sent ? ledger_.sent_by_server(n, m) : ledger_.refused_at_server(n, sent.error().code);
            }
            pump_server();
        });
    }

    void close_client(std::size_t i) {
        client& c = clients_[i];
        if (!c.attempt || c.session.is_closed()) return;
        bool const graceful = !random_.one_in(4);
        note("client ", i, graceful ? ": close()" : ": abort()");
        ledger_.close_asked_at_client(*c.attempt, graceful && c.session.is_open());
        graceful ? c.session.close(now_) : c.session.abort();
    }

    void close_client_in_turn(std::size_t i) {
        deliver(clients_[i].side, [this, i] {
            close_client(i);
            if (clients_[i].attempt) pump_client(i);
        });
    }

    void close_at_server(std::size_t n) {
        connection const& connection = ledger_.connections()[n];
        bool const graceful = !random_.one_in(4);
        note("server, session ", connection.handle.index, graceful ? ": close()" : ": abort()");
        ledger_.close_asked_at_server(n, graceful);
        graceful ? server_.close(connection.handle, now_) : server_.abort(connection.handle);
    }

    void close_any_at_server() {
        deliver(server_peer_, [this] {
            if (auto const n = ledger_.any_at_server(random_)) close_at_server(*n);
            pump_server();
        });
    }

    //=== the end ===//

    // Waits until all that was sent has arrived, then ends all sessions.
    void quiesce(std::size_t patience) {
        is_ending_ = true;
        if (ledger_.all_has_arrived()) return end();
        if (patience == 0) return ledger_.fail("what was sent does not arrive");
        after(plan_.latency + milliseconds(5), [this, patience] { quiesce(patience - 1); });
    }

    void end() {
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            if (random_.one_in(3)) continue;
            after(latency(), [this, i] { close_client_in_turn(i); });
        }
        if (random_.one_in(2)) after(latency(), [this] { close_any_at_server(); });
        after(plan_.latency * 4, [this] {
            deliver(server_peer_, [this] {
                note("server: close_all()");
                for (std::size_t n = 0; n != ledger_.connections().size(); ++n)
                    if (!ledger_.connections()[n].closed) ledger_.close_asked_at_server(n, true);
                server_.close_all(now_);
                pump_server();
            });
        });
        // Those that opened unnoticed, or fail to.
        for (auto const delay : {milliseconds(1'000), milliseconds(50'000)})
            after(delay, [this] {
                for (std::size_t i = 0; i != clients_.size(); ++i)
                    if (!clients_[i].session.is_closed()) close_client_in_turn(i);
            });
        after(milliseconds(100'000), [this] { check_end(); });
    }

    void check_end() {
        ledger_.expect(server_.size() == 0, "the server keeps a session");
        ledger_.expect(!server_.poll_timeout(), "the server waits for something");
        for (auto const& x : server_exchanges_) ledger_.expect(!x, "an exchange is not answered");
        for (auto const& n : server_channels_) ledger_.expect(!n, "the server does not close a channel");
        for (std::size_t i = 0; i != clients_.size(); ++i) {
            ledger_.expect(clients_[i].session.is_closed(), "a client does not close");
            check_nothing_left(i);
        }
        for (connection const& c : ledger_.connections()) {
            auto const sent = server_.send(c.handle, socketless::frame{});
            ledger_.expect(!sent && sent.error().code == socketless::errc::not_open, "a handle outlives its session");
            ledger_.expect(server_.find(c.handle) == nullptr, "a session outlives its end");
        }
        ledger_.check_end();
    }

    //=== the trace ===//

    static constexpr std::string_view event_names[] = {"opened", "message", "upgrading", "upgraded",
                                                       "upgrade_failed", "drained", "closed"};
    static constexpr std::string_view transmit_names[] = {"respond", "get", "post", "open_websocket",
                                                          "open_stream", "send", "close", "abort"};

    template <class... Parts>
    void note(Parts const&... parts) {
        if (trace_ == nullptr) return;
        auto const us = std::chrono::duration_cast<microseconds>(now_ - time_point()).count();
        *trace_ += std::to_string(us / 1000) + "." + std::to_string(1000 + us % 1000).substr(1) + "  ";
        (put(parts), ...);
        *trace_ += '\n';
    }
    template <std::integral Number>
    void put(Number n) {
        *trace_ += std::to_string(n);
    }
    void put(std::string_view s) {
        static constexpr char digits[] = "0123456789abcdef";
        for (char const c : s.substr(0, 400)) {
            auto const byte = static_cast<unsigned char>(c);
            if (byte >= ' ' && byte < 0x7f)
                *trace_ += c;
            else
                ((*trace_ += "\\x") += digits[byte >> 4u]) += digits[byte & 15u];
        }
        if (s.size() > 400) *trace_ += "...";
    }

    random_source random_;
    network_plan plan_;
    network_figures& figures_;
    std::string* trace_;
    time_point now_ = time_point() + std::chrono::seconds(1);
    std::vector<timed> agenda_;
    std::uint64_t last_number_ = 0;
    std::uint64_t last_message_ = 0;
    bool is_ending_ = false;
    ledger ledger_;
    engineio::server server_;
    peer server_peer_;
    std::size_t origin_ = 0; // the attempt whose input the server is given
    std::deque<client> clients_;
    std::deque<exchange> exchanges_;
    std::deque<channel> channels_;
    names server_exchanges_;
    names server_channels_;
    std::string buffer_;
    std::string server_buffer_;
};

} // namespace support
