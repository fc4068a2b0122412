// Channels between clients and a server: they never open, open late, are paused, garbled, go silent or die.
#pragma once

#include "simulation/ends.hpp"
#include "simulation/simulation.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

// One direction of a channel.
struct channel_line {
    time_point last_arrival{};
    std::string bytes; // of a stream: the bytes that have yet to arrive
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
    channel_line up = {};
    channel_line down = {};
};

template <class Server, class Client>
class channels {
public:
    channels(simulation& sim, ends<Server, Client>& both) : sim_(sim), ends_(both) {}

    // Begins a transmit of a client or the server; it arrives later, or never.
    void begin(std::size_t i, engineio::transmit const& t) {
        client& c = ends_.clients[i];
        std::size_t const n = channels_.size();
        channels_.push_back(
            {i, *c.attempt, t.id, t.type == engineio::transmit_type::open_stream, std::string(t.target)});
        channel& ch = channels_.back();
        bool const is_candidate = has_opened(c.session);
        auto const opening_fault = [&](fault f) { return is_candidate ? sim_.harmless_chance(f) : sim_.chance(f); };
        if (opening_fault(fault::channel_never_opens)) {
            is_candidate ? sim_.did(fault::channel_never_opens) : sim_.did(fault::channel_never_opens, ch.attempt);
            return;
        }
        if (opening_fault(fault::channel_refused)) {
            is_candidate ? sim_.did(fault::channel_refused) : sim_.did(fault::channel_refused, ch.attempt);
            return tell_client_closed(n);
        }
        if (sim_.chance(fault::channel_opens_late)) {
            sim_.did(fault::channel_opens_late, ch.attempt);
            ch.up.last_arrival = sim_.now + sim_.plan.clients[i].upgrade_timeout * sim_.random.between(1, 4) / 2;
        }
        sim_.at(arrival(ch.up), [this, n] { sim_.deliver(ends_.server_peer, [this, n] { channel_at_server(n); }); });
        if (sim_.chance(fault::channel_dies))
            sim_.after(some_time(), [this, n] { break_channel(n, fault::channel_dies); });
        if (sim_.chance(fault::channel_goes_silent))
            sim_.after(some_time(), [this, n] { break_channel(n, fault::channel_goes_silent); });
    }

    void send_on(std::size_t n, socketless::frame f, bool is_up) {
        channel& ch = channels_[n];
        bool& paused = is_up ? ch.client_paused : ch.server_paused;
        sim_.ledger.expect(!paused, "something is sent on a channel that is paused");
        if (!ch.is_stream)
            sim_.ledger.expect(f.kind == socketless::frame_kind::binary || f.data != "6", "a noop on a WebSocket");
        if (sim_.plan.write_time.count() != 0 && sim_.random.one_in(2)) pause(n, is_up);
        if (ch.is_dead) return;
        if (sim_.random.one_in(8) && sim_.chance(fault::frame_garbled)) {
            sim_.did(fault::frame_garbled, ch.attempt);
            sim_.ledger.at(ch.attempt).garbled = true;
            f = {socketless::frame_kind::text, ch.is_stream ? std::string_view("\0", 1) : ends_.garbage()};
        }
        channel_line& l = is_up ? ch.up : ch.down;
        if (ch.is_stream) {
            l.bytes += f.data;
            return sim_.at(arrival(l), [this, n, is_up] { arrive(n, is_up, {}, {}); });
        }
        sim_.at(arrival(l),
                [this, n, is_up, kind = f.kind, data = std::string(f.data)] { arrive(n, is_up, kind, data); });
    }

    void close_by_client(std::size_t n) {
        channel& ch = channels_[n];
        ch.client_end = false;
        if (!ch.is_dead) tell_server_closed(n);
    }

    void close_by_server(std::size_t n) {
        channel& ch = channels_[n];
        names_.release(*ch.server_id);
        ch.server_id.reset();
        if (!ch.is_dead) tell_client_closed(n);
    }

    // The channel that a side knows by this name, if there is one.
    [[nodiscard]] std::optional<std::size_t> at_client(std::size_t i, engineio::channel_id id) const {
        for (std::size_t n = channels_.size(); n-- != 0;)
            if (channels_[n].client == i && channels_[n].client_id == id && channels_[n].client_end) return n;
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::size_t> at_server(engineio::channel_id id) const { return names_.find(id); }
    [[nodiscard]] channel const& operator[](std::size_t n) const { return channels_[n]; }

    [[nodiscard]] bool are_closed_at_client(std::size_t i) const {
        return std::none_of(channels_.begin(), channels_.end(),
                            [i](channel const& ch) { return ch.client == i && ch.client_end; });
    }
    [[nodiscard]] bool are_closed_at_server() const { return names_.are_free(); }

private:
    using client = typename ends<Server, Client>::client;

    // Everything that goes one way arrives in the order in which it was sent.
    time_point arrival(channel_line& l) { return l.last_arrival = std::max(l.last_arrival, sim_.now + sim_.latency()); }

    // A whole client does not show its session.
    static bool has_opened(Client const& session) {
        if constexpr (requires { session.id(); })
            return session.is_open() || !session.id().empty();
        else
            return session.is_open();
    }

    microseconds some_time() {
        return microseconds(sim_.random.below(static_cast<std::size_t>(sim_.plan.duration.count())) >>
                            sim_.random.below(6));
    }

    void channel_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (ch.is_dead) return;
        if (!ch.is_stream && !sim_.random.one_in(8) && ends_.server.websocket_refusal(ch.target)) {
            sim_.note("server: refuses the WebSocket ", ch.target);
            return tell_client_closed(n);
        }
        ch.server_id = names_.take(n);
        sim_.note("server <- opened: channel ", *ch.server_id, " ", ch.target);
        sim_.at(arrival(ch.down), [this, n] {
            sim_.deliver(ends_.clients[channels_[n].client].side, [this, n] {
                channel& opened = channels_[n];
                if (!opened.client_end || opened.is_dead) return;
                sim_.note("client ", opened.client, " <- opened: channel ", opened.client_id);
                ends_.clients[opened.client].session.channel_opened(opened.client_id, sim_.now);
                if (sim_.plan.write_time.count() != 0 && sim_.random.one_in(8)) pause(n, true);
                ends_.pump_client(opened.client);
            });
        });
        ends_.origin = ch.attempt;
        if (ch.is_stream)
            ends_.server.stream_opened(*ch.server_id, sim_.now);
        else
            ends_.server.websocket_opened(*ch.server_id, ch.target, sim_.now);
        if (sim_.plan.write_time.count() != 0 && sim_.random.one_in(8)) pause(n, false);
        ends_.pump_server();
    }

    void arrive(std::size_t n, bool is_up, socketless::frame_kind kind, std::string const& data) {
        auto const receive = [this, n, is_up, kind, data] {
            is_up ? receive_at_server(n, kind, data) : receive_at_client(n, kind, data);
        };
        sim_.deliver(is_up ? ends_.server_peer : ends_.clients[channels_[n].client].side, receive);
    }

    // The next chunk of a stream, of whatever size; the rest comes at the same time.
    std::string take_chunk(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        std::string& bytes = is_up ? ch.up.bytes : ch.down.bytes;
        std::size_t const size = sim_.random.one_in(2) ? bytes.size() : sim_.random.below(bytes.size() + 1);
        std::string chunk = bytes.substr(0, size);
        bytes.erase(0, size);
        if (!bytes.empty()) sim_.at(sim_.now, [this, n, is_up] { arrive(n, is_up, {}, {}); });
        return chunk;
    }

    void receive_at_server(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.server_id || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, true) : data);
        sim_.note("server <- channel ", *ch.server_id, ": ", bytes.view());
        ends_.origin = ch.attempt;
        if (ch.is_stream)
            ends_.server.stream_received(*ch.server_id, bytes.view(), sim_.now);
        else
            ends_.server.websocket_received(*ch.server_id, {kind, bytes.view()}, sim_.now);
        ends_.pump_server();
    }

    void receive_at_client(std::size_t n, socketless::frame_kind kind, std::string const& data) {
        channel& ch = channels_[n];
        if (!ch.client_end || ch.is_dead) return;
        exact_copy const bytes(ch.is_stream ? take_chunk(n, false) : data);
        sim_.note("client ", ch.client, " <- channel ", ch.client_id, ": ", bytes.view());
        auto& session = ends_.clients[ch.client].session;
        if (ch.is_stream)
            session.stream_received(ch.client_id, bytes.view(), sim_.now);
        else
            session.websocket_received(ch.client_id, {kind, bytes.view()}, sim_.now);
        ends_.pump_client(ch.client);
    }

    // A write is under way: pauses the channel.
    void pause(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        (is_up ? ch.client_paused : ch.server_paused) = true;
        if (is_up)
            ends_.clients[ch.client].session.pause(ch.client_id);
        else
            ends_.server.pause(*ch.server_id);
        auto const how_long =
            microseconds(1 + sim_.random.below(static_cast<std::size_t>(sim_.plan.write_time.count())));
        sim_.after(how_long, [this, n, is_up] {
            sim_.deliver(is_up ? ends_.server_peer : ends_.clients[channels_[n].client].side,
                         [this, n, is_up] { resume(n, is_up); });
        });
    }

    void resume(std::size_t n, bool is_up) {
        channel& ch = channels_[n];
        if (is_up) {
            ch.client_paused = false;
            ends_.clients[ch.client].session.resume(ch.client_id);
            return ends_.pump_client(ch.client);
        }
        ch.server_paused = false;
        if (!ch.server_id) return;
        ends_.server.resume(*ch.server_id);
        ends_.pump_server();
    }

    void tell_client_closed(std::size_t n) {
        sim_.at(arrival(channels_[n].down), [this, n] {
            sim_.deliver(ends_.clients[channels_[n].client].side, [this, n] { closed_at_client(n); });
        });
    }

    void closed_at_client(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.client_end) return;
        // The rest of a stream comes first.
        if (!ch.down.bytes.empty() && !ch.is_dead) return tell_client_closed(n);
        sim_.note("client ", ch.client, " <- closed: channel ", ch.client_id);
        ch.client_end = false;
        sim_.ledger.at(ch.attempt).channel_closed = true;
        ends_.clients[ch.client].session.channel_closed(ch.client_id, sim_.now);
        ends_.pump_client(ch.client);
    }

    void tell_server_closed(std::size_t n) {
        sim_.at(arrival(channels_[n].up),
                [this, n] { sim_.deliver(ends_.server_peer, [this, n] { closed_at_server(n); }); });
    }

    void closed_at_server(std::size_t n) {
        channel& ch = channels_[n];
        if (!ch.server_id) return;
        if (!ch.up.bytes.empty() && !ch.is_dead) return tell_server_closed(n);
        sim_.note("server <- closed: channel ", *ch.server_id);
        sim_.ledger.at(ch.attempt).channel_closed_at_server = true;
        auto const id = *std::exchange(ch.server_id, std::nullopt);
        names_.release(id);
        ends_.server.channel_closed(id, sim_.now);
        ends_.pump_server();
    }

    // The channel is lost, with all that is on its way. If it goes silent, at most one side learns it.
    void break_channel(std::size_t n, fault f) {
        channel& ch = channels_[n];
        if (ch.is_dead || (!ch.client_end && !ch.server_id)) return;
        client const& c = ends_.clients[ch.client];
        // Losing a candidate before the move does no harm, if its client learns it in time.
        bool const harmless = f == fault::channel_dies && c.session.is_open() && !c.side.frozen &&
                              c.session.transport() == engineio::transport::polling;
        harmless ? sim_.did(f) : sim_.did(f, ch.attempt);
        ch.is_dead = true;
        bool const dies = f == fault::channel_dies;
        std::size_t const who = sim_.random.below(3);
        if (dies || who == 1) tell_server_closed(n);
        if (harmless) return closed_at_client(n);
        if (dies || who == 0) tell_client_closed(n);
    }

    simulation& sim_;
    ends<Server, Client>& ends_;
    std::deque<channel> channels_;
    names names_;
};

} // namespace support
