// Shows what happens between clients and servers, every packet of both protocols decoded, for people to read; then
// encodes the decoded packets again, and compares them with the wire, byte for byte.
#pragma once

#include "demo/capture.hpp"
#include "demo/encode_again.hpp"
#include "demo/page.hpp"
#include "tools/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

// An Engine.IO packet as it was recorded, and its data once that has been encoded again.
struct slot {
    engineio::packet recorded;
    std::optional<std::string> data;
};

// The carrier of packets: a frame, or the body of a request or an answer.
struct carrier {
    happening const* source;
    engineio::revision revision;
    std::optional<engineio::payload_format> format; // of a body
    std::string bytes;                              // base64 is decoded in place
    std::deque<slot> packets;
    bool decodes = true;

    [[nodiscard]] std::optional<std::string> encode_again() const {
        if (!decodes) return std::nullopt;
        std::string out;
        engineio::payload_writer body(out, std::numeric_limits<std::size_t>::max(),
                                      format.value_or(engineio::payload_format::v4));
        for (slot const& s : packets) {
            if (!s.data) return std::nullopt;
            engineio::packet const p{s.recorded.type, s.recorded.kind, *s.data};
            if (!(format ? body.push(p).has_value() : encode_frame(out, p).has_value())) return std::nullopt;
        }
        return out;
    }

private:
    result<std::size_t> encode_frame(std::string& out, engineio::packet const& p) const {
        return source->body->kind == frame_kind::text ? engineio::encode_as_text(out, p, revision)
                                                      : engineio::encode(out, p, revision);
    }
};

//=== what is under way ===//

// One direction of a session: messages go in, packets come out. The assembler borrows from the slots.
struct direction {
    socketio::assembler assembler;
    std::vector<slot*> messages; // of the packet under way
};

// What made messages of the packets of a session.
enum class encoding : std::uint8_t { json, msgpack, unknown };

// By the first message, a CONNECT: with socket.io-parser it is text.
inline encoding encoding_of(frame first) {
    if (first.kind == frame_kind::text) return encoding::json;
    return socketio::decode_msgpack(first.data) ? encoding::msgpack : encoding::unknown;
}

// The messages of a session travel by any of its exchanges and channels: an upgrade moves them within a packet.
struct session {
    explicit session(engineio::revision r)
        : to_server{socketio::assembler(revision_of(r)), {}}, to_client{socketio::assembler(revision_of(r)), {}} {}

    static socketio::revision revision_of(engineio::revision r) {
        return r == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5;
    }

    direction to_server;
    direction to_client;
    std::optional<encoding> speaks; // once there was a message
};

// An exchange or a channel.
struct link {
    engineio::revision revision = engineio::revision::v4;
    session* of = nullptr;
};

// The widths of a row's columns: the time, a client's name, the transport, the bytes on the wire, their meaning.
struct layout {
    std::size_t client = 0; // 0: there is one client, without a name
    std::size_t over = 8;
    std::size_t raw = 0; // the bytes on the wire; 0: not shown
    std::size_t engineio = 10;
    std::size_t socketio = 15;
    std::size_t nsp = 6;
    std::size_t id = 40; // a value in a CONNECT: an id or a secret

    static constexpr std::size_t time = 5;
    [[nodiscard]] constexpr std::size_t over_column() const { return time + (client == 0 ? 0 : client + 1); }
    [[nodiscard]] constexpr std::size_t raw_column() const { return over_column() + 3 + over + 1; }
    [[nodiscard]] constexpr std::size_t engineio_column() const { return raw_column() + (raw == 0 ? 0 : raw + 1); }
    [[nodiscard]] constexpr std::size_t socketio_column() const { return engineio_column() + engineio + 1; }
    [[nodiscard]] constexpr std::size_t data_column() const { return socketio_column() + socketio + 1; }
};

class inspector {
public:
    explicit inspector(page& out, layout columns = {}) : out_(out), at_(columns) {}

    void show_titles() {
        words left{{style::dim, padded("   ms", at_.over_column())}, {style::dim, padded("   over", 3 + at_.over)}};
        auto const types = padded("Engine.IO", at_.engineio + 1) + padded("Socket.IO", at_.socketio + 1);
        auto const arrows = "→ to the server   ← to the client";
        show_row(left, "the wire", {{style::dim, shows_raw() ? types : types + arrows}}, 0);
    }

    // The happening outlives the inspector.
    void show(happening const& h) {
        switch (h.kind) {
        case happening_kind::http_request: return show_request(h, h.method);
        case happening_kind::http_response: return show_response(h);
        case happening_kind::http_aborted: return show_line(h, "", {{style::bad, "aborted"}});
        case happening_kind::websocket_open: return show_request(h, "opens");
        case happening_kind::websocket_message: return show_frame(h);
        case happening_kind::websocket_close: return show_line(h, "", {{style::strong, "closes"}});
        case happening_kind::websocket_refused: return show_refused(h);
        }
    }

    // Whether all of it encodes to the same bytes again; prints the differences. Call it once.
    [[nodiscard]] bool conclude() {
        for (carrier const& c : carriers_) count(*c.source, c.encode_again());
        for (words const& d : differences_) out_.row({}, {2, 4}, d);
        return same_ == carried_ && same_targets_ == targets_;
    }

    // Prints how much did. Call it after `conclude`.
    void show_tallies() {
        if (unknown_ != 0)
            out_.row({}, {2, 2},
                     {{style::dim, std::to_string(unknown_) + " messages are neither socket.io-parser's nor "
                                                              "MessagePack:"},
                      {style::dim, "only their Engine.IO packets are shown and encoded again."}});
        tell(same_targets_, targets_, "request targets");
        tell(same_, carried_, "frames and bodies");
    }

    // How many frames and bodies there were. Call it after `conclude`.
    [[nodiscard]] std::size_t size() const noexcept { return carried_; }

private:
    //=== happenings ===//

    // When, who, by what; the bytes on the wire, and their meaning.
    void show_line(happening const& h, std::string_view raw, words const& what, std::size_t hanging = 0) {
        bool const to_server = h.from == side::client;
        auto const time = std::to_string(h.time);
        auto const arrow = (to_server ? " → " : " ← ") + padded(over(h), at_.over);
        words left{{style::dim, std::string(at_.time - std::min(time.size(), at_.time), ' ') + time}};
        if (at_.client != 0) left.push_back({style::strong, ' ' + padded(h.client, at_.client)});
        left.push_back({to_server ? style::to_server : style::to_client, arrow});
        show_row(left, raw, what, hanging);
    }

    // The number of the exchange or channel: after its kind or, beside a raw body, after the method or the status.
    [[nodiscard]] std::string over(happening const& h) const {
        auto const number = ' ' + std::to_string(h.number);
        if (shows_raw() && h.kind == happening_kind::http_request) return h.method + number;
        if (shows_raw() && h.kind == happening_kind::http_response)
            return std::to_string(h.status.value_or(0)) + number;
        return (is_http(h.kind) ? "HTTP" : "WS") + number;
    }

    void show_row(words left, std::string_view raw, words const& what, std::size_t hanging) {
        if (left.empty()) left.push_back({style::plain, std::string(at_.raw_column() - 1, ' ')});
        if (at_.raw != 0) left.push_back({style::plain, ' ' + padded(elided(raw, at_.raw, "…"), at_.raw)});
        auto const first = at_.engineio_column();
        out_.row(left, {first, hanging == 0 ? first + 2 : hanging}, what);
    }

    [[nodiscard]] bool shows_raw() const noexcept { return at_.raw != 0; }

    void show_request(happening const& h, std::string const& verb) {
        words what;
        if (!shows_raw()) what.push_back({style::strong, verb});
        auto const target = engineio::parse_request_target(h.target);
        if (!target) {
            what.push_back({style::plain, elided(h.target, 60)});
            what.push_back({style::bad, std::string(message(target.error().code))});
        } else {
            describe(*target, what);
        }
        show_line(h, h.target, what);

        ++targets_;
        auto const written = target ? write_again(*target) : std::nullopt;
        if (written == h.target)
            ++same_targets_;
        else
            differ(h, h.target, written);

        auto const known = target.value_or(engineio::request_target());
        link& l = link_of(h);
        l.revision = target ? target->revision : engineio::revision::v4;
        auto const without_sid = (is_http(h.kind) ? "exchange " : "channel ") + std::to_string(h.number);
        l.of = &session_of(known.sid ? std::string(*known.sid) : without_sid, l.revision);
        if (h.body) show_body(h, true);
    }

    static void describe(engineio::request_target const& target, words& what) {
        what.push_back({style::plain, elided(target.path, 40)});
        auto const add = [&what](std::string_view name, std::string_view value) {
            auto const text = std::string(name) + (value.empty() ? "" : " ") + elided(value, 40);
            what.push_back({style::dim, "· " + text});
        };
        if (auto const eio = target.query.find("EIO")) add("EIO", *eio);
        if (target.transport) add(name(*target.transport), "");
        for (auto const p : target.query)
            if (p.name != "EIO" && p.name != "transport") add(elided(p.name, 20), p.value);
    }

    void show_response(happening const& h) {
        bool const is_good = h.status == 200u;
        bool const is_ok = h.body && is_good && h.body->bytes == "ok";
        if (shows_raw() && h.body && is_good && !is_ok) return show_body(h, false);

        words what;
        if (!shows_raw()) what.push_back({is_good ? style::strong : style::bad, std::to_string(h.status.value_or(0))});
        if (is_ok && !shows_raw())
            what.push_back({style::dim, "ok"});
        else if (!is_ok && !h.content_type.empty())
            what.push_back({style::dim, elided(h.content_type, 40)});
        if (h.body && !is_ok) what.push_back({style::dim, "· " + size_text(h.body->bytes.size())});
        show_line(h, h.body ? h.body->bytes : "", what);
        if (!h.body || is_ok) return;
        if (is_good)
            show_body(h, true);
        else
            show_refusal(h);
    }

    void show_refused(happening const& h) {
        show_line(h, "", {{style::bad, "refused" + (h.status ? ' ' + std::to_string(*h.status) : "")}});
        if (h.body) show_refusal(h);
    }

    // The body of an answer that refuses a request.
    void show_refusal(happening const& h) {
        auto const refusal = engineio::decode_request_error(h.body->bytes);
        if (!refusal) return show_note(style::plain, elided(h.body->bytes, out_.columns() - at_.engineio_column()));
        auto const encoded = std::string(body(*refusal));
        show_note(style::bad, "error " + std::to_string(static_cast<int>(*refusal)) + ": " + encoded);
        count(h, encoded);
    }

    void show_note(style look, std::string text) { show_row({}, "", {{look, std::move(text)}}, at_.engineio_column()); }

    //=== frames and bodies ===//

    void show_frame(happening const& h) {
        carrier& c = carriers_.emplace_back(carrier{&h, link_of(h).revision, std::nullopt, h.body->bytes, {}});
        auto const p = engineio::decode({h.body->kind, c.bytes}, c.revision, c.bytes);
        if (!p) {
            c.decodes = false;
            return show_line(h, h.body->bytes, {{style::bad, explain(p.error())}});
        }
        bool const is_text = h.body->kind == frame_kind::text;
        show_packet(c, *p, is_text ? h.body->bytes : bytes_text(h.body->bytes), true);
    }

    // Prints it in rows of its own, or from the row of the happening on.
    void show_body(happening const& h, bool has_row) {
        using enum engineio::payload_format;
        auto const v3 = h.body->kind == frame_kind::text ? v3_text : v3_binary;
        auto const revision = link_of(h).revision;
        auto const format = revision == engineio::revision::v4 ? v4 : v3;
        carrier& c = carriers_.emplace_back(carrier{&h, revision, format, h.body->bytes, {}});
        engineio::payload_reader reader(c.bytes, format);
        std::string_view rest = h.body->bytes; // of revision 4
        while (auto const p = reader.next()) {
            auto const raw = rest.substr(0, rest.find('\x1e'));
            rest.remove_prefix(std::min(rest.size(), raw.size() + 1));
            if (*p) {
                show_packet(c, **p, raw, !std::exchange(has_row, true));
                continue;
            }
            c.decodes = false;
            if (std::exchange(has_row, true))
                show_note(style::bad, explain(p->error()));
            else
                show_line(h, raw, {{style::bad, explain(p->error())}});
        }
    }

    static std::string explain(error e) {
        return std::string(message(e.code)) + ", at byte " + std::to_string(e.offset);
    }

    //=== packets ===//

    // The first row of a carrier says when and where it was.
    void show_packet(carrier& c, engineio::packet const& p, std::string_view raw, bool begins_row) {
        slot& s = c.packets.emplace_back(slot{p, std::nullopt});
        auto const digit = p.kind == frame_kind::text ? std::to_string(static_cast<int>(p.type)) : " ";
        words what{{style::engineio, titled(digit, name(p.type), at_.engineio)}};
        std::vector<words> more;
        if (p.type == engineio::packet_type::message)
            read_message(c, s, what, more);
        else if (p.type == engineio::packet_type::open)
            read_handshake(c, s, what);
        else {
            s.data = p.data;
            if (!p.data.empty()) what.push_back({style::plain, elided(p.data, 60)});
        }
        auto const hanging = p.type == engineio::packet_type::message ? at_.data_column() : at_.socketio_column();
        if (begins_row)
            show_line(*c.source, raw, what, hanging);
        else
            show_row({}, raw, what, hanging);
        for (words const& row : more) out_.row({}, {at_.socketio_column(), hanging}, row);
    }

    // A type after `mark`, its digit on the wire or a sign; alone if the wire is shown beside it.
    [[nodiscard]] std::string titled(std::string_view mark, std::string_view type, std::size_t columns) const {
        return padded(shows_raw() ? std::string(type) : std::string(mark) + ' ' + std::string(type), columns);
    }

    void read_handshake(carrier const& c, slot& s, words& what) {
        auto const h = engineio::decode_handshake(s.recorded.data);
        if (!h) return what.push_back({style::bad, explain(h.error())});
        what.push_back({style::plain, "sid " + printable(h->sid)});
        std::string upgrades;
        for (auto const t : engineio::all_transports)
            if (h->upgrades.contains(t)) upgrades += ' ' + std::string(name(t));
        what.push_back({style::plain, "· upgrades" + (upgrades.empty() ? " none" : upgrades)});
        what.push_back({style::plain, "· ping interval " + std::to_string(h->ping_interval.count()) + " ms"});
        what.push_back({style::plain, "· ping timeout " + std::to_string(h->ping_timeout.count()) + " ms"});
        if (h->max_payload) what.push_back({style::plain, "· max payload " + size_text(*h->max_payload)});

        std::string again;
        if (engineio::encode_handshake(again, *h)) s.data = again;
        link_of(*c.source).of = &session_of(std::string(h->sid), c.revision);
    }

    // A message is a Socket.IO packet or a part of one. Its row is `what`; `more` holds the rows below.
    void read_message(carrier const& c, slot& s, words& what, std::vector<words>& more) {
        session& in = *link_of(*c.source).of;
        frame const m{s.recorded.kind, s.recorded.data};
        if (!in.speaks) in.speaks = encoding_of(m);
        if (in.speaks == encoding::msgpack) return read_msgpack(c, s, what);
        if (in.speaks == encoding::unknown) {
            what.push_back({style::dim, titled(" ", "unknown", at_.socketio)});
            what.push_back({style::binary, bytes_text(m.data)});
            s.data = m.data;
            ++unknown_;
            return;
        }

        direction& d = c.source->from == side::client ? in.to_server : in.to_client;
        auto const due = d.assembler.attachments_due();
        d.messages.push_back(&s);
        auto const message = d.assembler.push(m);
        if (!message) {
            what.push_back({style::bad, explain(message.error())});
            d.messages.clear();
            return;
        }
        if (m.kind == frame_kind::binary) {
            auto const number =
                std::to_string(d.messages.size() - 1) + " of " + std::to_string(d.messages.size() - 2 + due);
            what.push_back({style::socketio, titled(" ", "attachment", at_.socketio)});
            what.push_back({style::dim, number + ':'});
            what.push_back({style::binary, bytes_text(m.data)});
        }
        if (!*message) {
            if (m.kind == frame_kind::text) describe_header(m.data, d.assembler.attachments_due(), what);
            return;
        }
        if (m.kind == frame_kind::text)
            describe(**message, digit_of(m.data), what);
        else
            describe(**message, "=", more.emplace_back());
        fill(d.messages, **message);
        d.messages.clear();
    }

    // A packet of the MessagePack parser: it is one message.
    void read_msgpack(carrier const& c, slot& s, words& what) {
        bool const to_server = c.source->from == side::client;
        using enum socketio::sender;
        socketio::detail::packets_of_parser packets(socketio::msgpack_parser, to_server ? server : client);
        auto const m = packets.decode({s.recorded.kind, s.recorded.data}, text_check::due,
                                      session::revision_of(c.revision), limits());
        if (!m) return what.push_back({style::bad, explain(m.error())});
        describe(*m, "=", what);
        s.data = encode_as_msgpack(*m, to_server ? client : server);
    }

    // Encodes a packet again, and puts its text and attachments in the place of the messages that it came in.
    static void fill(std::vector<slot*> const& messages, socketio::message const& m) {
        std::string text;
        attachment_list attachments;
        if (!encode_again(text, attachments, m) || attachments.size() + 1 != messages.size()) return;
        messages.front()->data = text;
        for (std::size_t i = 0; i != attachments.size(); ++i)
            messages[i + 1]->data = std::string(as_characters(attachments[i]));
    }

    static std::string_view digit_of(std::string_view text) { return text.substr(0, 1); }

    // The type after its digit on the wire, or after the '=' of a packet whose binary values are in their places.
    void describe_address(std::string_view mark, socketio::packet_type type, std::string_view nsp,
                          std::optional<std::uint64_t> id, words& what) const {
        what.push_back({style::socketio, titled(mark, name(type), at_.socketio)});
        what.push_back({style::plain, padded(elided(nsp, 40), at_.nsp)});
        if (id) what.push_back({style::plain, "id " + std::to_string(*id)});
    }

    // The text of a binary packet, when it has come alone.
    void describe_header(std::string_view text, std::size_t due, words& what) const {
        auto const h = socketio::decode_header(text);
        if (!h) return;
        describe_address(digit_of(text), h->type, h->nsp, h->id, what);
        auto const follow = due == 1 ? " attachment follows" : " attachments follow";
        what.push_back({style::dim, std::to_string(due) + follow});
    }

    void describe(socketio::message const& m, std::string_view mark, words& what) const {
        socketio::packet const& p = m.packet;
        describe_address(mark, p.type, p.nsp, p.id, what);
        if (p.query) what.push_back({style::plain, "query " + elided(*p.query, 40)});
        if (auto const event = p.event_name(); !event.empty()) what.push_back({style::name, readable({event, {}})});
        if (is_event(p.type) || is_ack(p.type))
            for (auto const a : m.arguments()) what.push_back({a.binary() ? style::binary : style::plain, readable(a)});
        else
            describe_members(p.data, what);
    }

    // The data of CONNECT and CONNECT_ERROR.
    void describe_members(json::text data, words& what) const {
        if (!data.empty() && !data.is(json::kind::object)) what.push_back({style::plain, readable({data, {}})});
        for (json::member const m : data.members())
            what.push_back({style::plain, m.key.get<std::string>().value_or("?") + ' ' +
                                              elided(readable({m.value, {}}), at_.id, "…")});
    }

    // JSON for a person: binary values in the place of their placeholders.
    [[nodiscard]] std::string readable(socketio::argument a) const {
        std::string text;
        auto const done = json::write(text, shortened{a, shows_raw()});
        return done ? elided(text, out_.columns() - at_.data_column()) : std::string(message(done.error().code));
    }

    struct shortened {
        socketio::argument data;
        bool is_brief; // the bytes are shown elsewhere

        friend void write_json(json::writer& out, shortened const& s) {
            support::rewrite(out, s.data.json(), [&](json::writer& w, json::text value) {
                auto const bytes = s.data.binary(value);
                if (!bytes) return false;
                auto const text = s.is_brief ? size_text(bytes->size()) : bytes_text(as_characters(*bytes));
                w.begin_raw().raw_part('<' + text + '>').end_raw();
                return true;
            });
        }
    };

    //=== the verdict ===//

    void count(happening const& h, std::optional<std::string> const& encoded) {
        ++carried_;
        if (encoded == h.body->bytes)
            ++same_;
        else
            differ(h, h.body->bytes, encoded);
    }

    void differ(happening const& h, std::string_view recorded, std::optional<std::string> const& encoded) {
        auto const line = h.line == 0 ? "at " + std::to_string(h.time) + " ms" : "line " + std::to_string(h.line);
        if (!encoded) return differences_.push_back({{style::bad, line}, {style::plain, "is not encoded again"}});
        auto const [a, b] = std::ranges::mismatch(recorded, *encoded);
        auto const quoted = [](std::string_view what, std::string_view text) {
            return word{style::plain, std::string(what) + " \"" + elided(text, 60) + '"'};
        };
        differences_.push_back({{style::bad, line},
                                {style::plain, "differs from byte " + std::to_string(a - recorded.begin()) + " on:"},
                                quoted("recorded", {a, recorded.end()}),
                                quoted("encoded", {b, encoded->end()})});
    }

    void tell(std::size_t same, std::size_t all, std::string_view what) {
        auto const tally = std::to_string(same) + " of " + std::to_string(all) + ' ' + std::string(what);
        word const verdict = same == all ? word{style::good, "byte-identical"} : word{style::bad, "not all of them"};
        out_.row({}, {2, 2}, {{style::plain, tally + " encode to the very same bytes:"}, verdict});
    }

    //=== the state ===//

    link& link_of(happening const& h) { return links_[{is_http(h.kind), h.number}]; }

    session& session_of(std::string const& sid, engineio::revision r) {
        return sessions_.try_emplace(sid, r).first->second;
    }

    page& out_;
    layout at_;
    std::map<std::pair<bool, std::uint64_t>, link> links_;
    std::map<std::string, session> sessions_;
    std::deque<carrier> carriers_;
    std::vector<words> differences_;
    std::size_t targets_ = 0;
    std::size_t same_targets_ = 0;
    std::size_t carried_ = 0;
    std::size_t same_ = 0;
    std::size_t unknown_ = 0;
};

} // namespace demo
