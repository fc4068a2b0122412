// inspect: prints a capture of a client and a server for a person to read, every packet of both protocols decoded;
// then encodes all of it again, from what was decoded, and compares that with what was recorded, byte for byte.
//
//     c++ -std=c++20 -I include -I tests tests/demo/inspect.cpp -o inspect
//     ./inspect tests/data/captures/upgrade.jsonl

#include "demo/capture.hpp"
#include "demo/page.hpp"
#include "support/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace demo;

//=== encoding again ===//

// A packet's data, read value by value and written anew: what is binary becomes an attachment again.
struct rewritten {
    socketio::argument data;

    friend void write_json(json::writer& out, rewritten const& r) {
        support::rewrite(out, r.data.json(), [&](json::writer& w, json::text value) {
            auto const bytes = r.data.binary(value);
            if (bytes) w.binary(*bytes);
            return bytes.has_value();
        });
    }
};

// The text of a Socket.IO packet; its attachments go to `attachments`.
result<std::size_t> encode_again(std::string& text, attachment_list& attachments, socketio::message const& m) {
    using enum socketio::packet_type;
    socketio::packet const& p = m.packet;
    rewritten const data{{p.data, m.attachments}};
    switch (p.type) {
    case connect: {
        auto const nsp = std::string(p.nsp) + (p.query ? '?' + std::string(*p.query) : "");
        return p.data.empty() ? socketio::encode_connect(text, nsp) : socketio::encode_connect(text, nsp, data);
    }
    case disconnect: return socketio::encode_disconnect(text, p.nsp);
    case connect_error:
        return p.data.empty() ? socketio::encode(text, p) : socketio::encode_connect_error(text, p.nsp, data);
    case event:
    case binary_event: return socketio::encode_array(text, attachments, event, {p.nsp, p.id}, data);
    case ack:
    case binary_ack: return socketio::encode_array(text, attachments, ack, {p.nsp, p.id}, data);
    }
    return errc::unknown_packet_type;
}

// The target of a request, from its parts; nothing for one that is not of Engine.IO.
std::optional<std::string> write_again(engineio::request_target const& target) {
    if (!target.revision || !target.transport) return std::nullopt;
    engineio::request_fields fields;
    fields.path = target.path;
    fields.revision = *target.revision;
    fields.transport = *target.transport;
    fields.base64 = target.base64;
    fields.sid = target.sid.value_or("");

    std::deque<std::string> decoded;
    auto const decode = [&decoded](std::string_view text) {
        return percent::decode(text, decoded.emplace_back(text.size(), '\0')).value_or(text);
    };
    std::vector<engineio::query_parameter> own;
    for (auto const p : target.query) {
        if (p.name == fields.timestamp.name)
            fields.timestamp.value = decode(p.value);
        else if (p.name != "EIO" && p.name != "transport" && p.name != "sid" && p.name != "b64")
            own.push_back({decode(p.name), decode(p.value)});
    }
    fields.query = own;
    std::string text;
    if (!engineio::write_request_target(text, fields)) return std::nullopt;
    return text;
}

// An Engine.IO packet as it was recorded, and its data once that has been encoded again.
struct slot {
    engineio::packet recorded;
    std::optional<std::string> data;
};

// A frame or the body of a request or an answer: what packets travel in.
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

//=== what the capture is made of ===//

// One direction of a session: messages go in, packets come out. What the assembler borrows is in the slots.
struct direction {
    socketio::assembler assembler;
    std::vector<slot*> messages; // of the packet under way
};

// The messages of a session travel by any of its exchanges and channels: an upgrade moves them within a packet.
struct session {
    explicit session(engineio::revision r)
        : to_server{socketio::assembler(revision_of(r)), {}}, to_client{socketio::assembler(revision_of(r)), {}} {}

    static socketio::revision revision_of(engineio::revision r) {
        return r == engineio::revision::v3 ? socketio::revision::v4 : socketio::revision::v5;
    }

    direction to_server;
    direction to_client;
    bool has_begun = false;
    bool speaks_json = true;
};

// An exchange or a channel.
struct link {
    engineio::revision revision = engineio::revision::v4;
    session* of = nullptr;
};

constexpr std::size_t over_width = 8;
constexpr std::size_t engineio_column = 17;
constexpr std::size_t socketio_column = 28;
constexpr std::size_t data_column = 44;
constexpr std::size_t nsp_width = 6;
constexpr std::size_t engineio_width = socketio_column - engineio_column - 1;
constexpr std::size_t socketio_width = data_column - socketio_column - 1;

class inspector {
public:
    explicit inspector(page& out) : out_(out) {}

    // Prints the capture and whether it encodes to the same bytes again: returns that.
    bool inspect(std::vector<happening> const& happenings) {
        constexpr auto titles = "   ms   over     Engine.IO  Socket.IO       → to the server   ← to the client";
        out_.row({{style::dim, titles}});
        for (happening const& h : happenings) show(h);
        out_.gap();
        return conclude();
    }

private:
    //=== happenings ===//

    void show(happening const& h) {
        switch (h.kind) {
        case happening_kind::http_request: return show_request(h, h.method);
        case happening_kind::http_response: return show_response(h);
        case happening_kind::http_aborted: return show_line(h, {{style::bad, "aborted"}});
        case happening_kind::websocket_open: return show_request(h, "opens");
        case happening_kind::websocket_message: return show_frame(h);
        case happening_kind::websocket_close: return show_line(h, {{style::strong, "closes"}});
        case happening_kind::websocket_refused: return show_refused(h);
        }
    }

    void show_line(happening const& h, words const& what, std::size_t hanging = engineio_column + 2) {
        bool const to_server = h.from == side::client;
        auto const time = std::to_string(h.time);
        auto const arrow = (to_server ? " → " : " ← ") +
                           padded((is_http(h.kind) ? "HTTP " : "WS ") + std::to_string(h.number), over_width);
        out_.row({{style::dim, std::string(5 - std::min<std::size_t>(time.size(), 5), ' ') + time},
                  {to_server ? style::to_server : style::to_client, arrow}},
                 {engineio_column, hanging}, what);
    }

    void show_request(happening const& h, std::string const& verb) {
        words what{{style::strong, verb}};
        auto const target = engineio::parse_request_target(h.target);
        if (!target) {
            what.push_back({style::plain, elided(h.target, 60)});
            what.push_back({style::bad, std::string(message(target.error().code))});
        } else {
            describe(*target, what);
        }
        show_line(h, what);

        ++targets_;
        auto const written = target ? write_again(*target) : std::nullopt;
        if (written == h.target)
            ++same_targets_;
        else
            differ(h, h.target, written);

        auto const known = target.value_or(engineio::request_target());
        link& l = link_of(h);
        l.revision = known.revision.value_or(engineio::revision::v4);
        auto const without_sid = (is_http(h.kind) ? "exchange " : "channel ") + std::to_string(h.number);
        l.of = &session_of(known.sid ? std::string(*known.sid) : without_sid, l.revision);
        if (h.body) show_body(h);
    }

    static void describe(engineio::request_target const& target, words& what) {
        what.push_back({style::plain, elided(target.path, 40)});
        auto const add = [&what](std::string_view name, std::string_view value) {
            auto const text = std::string(name) + (value.empty() ? "" : " ") + elided(value, 40);
            what.push_back({style::dim, "· " + text});
        };
        if (target.revision) add("EIO", *target.revision == engineio::revision::v3 ? "3" : "4");
        if (target.transport) add(name(*target.transport), "");
        for (auto const p : target.query)
            if (p.name != "EIO" && p.name != "transport") add(elided(p.name, 20), p.value);
    }

    void show_response(happening const& h) {
        words what{{h.status == 200u ? style::strong : style::bad, std::to_string(h.status.value_or(0))}};
        if (h.body && h.status == 200u && h.body->bytes == "ok") {
            what.push_back({style::dim, "ok"});
            return show_line(h, what);
        }
        if (!h.content_type.empty()) what.push_back({style::dim, elided(h.content_type, 40)});
        if (h.body) what.push_back({style::dim, "· " + size_text(h.body->bytes.size())});
        show_line(h, what);
        if (!h.body) return;
        if (h.status == 200u)
            show_body(h);
        else
            show_refusal(h);
    }

    void show_refused(happening const& h) {
        show_line(h, {{style::bad, "refused" + (h.status ? ' ' + std::to_string(*h.status) : "")}});
        if (h.body) show_refusal(h);
    }

    // The body of an answer that refuses a request.
    void show_refusal(happening const& h) {
        auto const refusal = engineio::decode_request_error(h.body->bytes);
        if (!refusal) return show_note(style::plain, elided(h.body->bytes, page::columns - engineio_column));
        auto const encoded = std::string(body(*refusal));
        show_note(style::bad, "error " + std::to_string(static_cast<int>(*refusal)) + ": " + encoded);
        count(h, encoded);
    }

    void show_note(style look, std::string text) {
        out_.row({}, {engineio_column, engineio_column}, {{look, std::move(text)}});
    }

    //=== frames and bodies ===//

    void show_frame(happening const& h) {
        carrier& c = carriers_.emplace_back(carrier{&h, link_of(h).revision, std::nullopt, h.body->bytes, {}});
        auto const p = engineio::decode({h.body->kind, c.bytes}, c.revision, c.bytes);
        if (!p) {
            c.decodes = false;
            return show_line(h, {{style::bad, explain(p.error())}});
        }
        show_packet(c, *p, true);
    }

    void show_body(happening const& h) {
        using enum engineio::payload_format;
        auto const v3 = h.body->kind == frame_kind::text ? v3_text : v3_binary;
        auto const revision = link_of(h).revision;
        auto const format = revision == engineio::revision::v4 ? v4 : v3;
        carrier& c = carriers_.emplace_back(carrier{&h, revision, format, h.body->bytes, {}});
        engineio::payload_reader reader(c.bytes, format);
        while (auto const p = reader.next()) {
            if (*p) {
                show_packet(c, **p, false);
                continue;
            }
            c.decodes = false;
            show_note(style::bad, explain(p->error()));
        }
    }

    static std::string explain(error e) {
        return std::string(message(e.code)) + ", at byte " + std::to_string(e.offset);
    }

    //=== packets ===//

    // The first row of a frame says when and where it was; the packets of a body follow a row that did.
    void show_packet(carrier& c, engineio::packet const& p, bool in_frame) {
        slot& s = c.packets.emplace_back(slot{p, std::nullopt});
        auto const digit = p.kind == frame_kind::text ? std::to_string(static_cast<int>(p.type)) : " ";
        words what{{style::engineio, padded(digit + ' ' + std::string(name(p.type)), engineio_width)}};
        std::vector<words> more;
        if (p.type == engineio::packet_type::message)
            read_message(c, s, what, more);
        else if (p.type == engineio::packet_type::open)
            read_handshake(c, s, what);
        else {
            s.data = p.data;
            if (!p.data.empty()) what.push_back({style::plain, elided(p.data, 60)});
        }
        auto const hanging = p.type == engineio::packet_type::message ? data_column : socketio_column;
        if (in_frame)
            show_line(*c.source, what, hanging);
        else
            out_.row({}, {engineio_column, hanging}, what);
        for (words const& row : more) out_.row({}, {socketio_column, hanging}, row);
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
        // With socket.io-parser the first message is text: a CONNECT.
        if (!std::exchange(in.has_begun, true)) in.speaks_json = m.kind == frame_kind::text;
        if (!in.speaks_json) {
            what.push_back({style::dim, padded("  not JSON", socketio_width)});
            what.push_back({style::binary, bytes_text(m.data)});
            s.data = m.data;
            ++not_json_;
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
            what.push_back({style::socketio, padded("  attachment", socketio_width)});
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

    // The type after its digit on the wire, or after the '=' of a packet whose attachments have come.
    static void describe_address(std::string_view mark, socketio::packet_type type, std::string_view nsp,
                                 std::optional<std::uint64_t> id, words& what) {
        auto const titled = std::string(mark) + ' ' + std::string(name(type));
        what.push_back({style::socketio, padded(titled, socketio_width)});
        what.push_back({style::plain, padded(elided(nsp, 40), nsp_width)});
        if (id) what.push_back({style::plain, "id " + std::to_string(*id)});
    }

    // The text of a binary packet, when it has come alone.
    static void describe_header(std::string_view text, std::size_t due, words& what) {
        auto const h = socketio::decode_header(text);
        if (!h) return;
        describe_address(digit_of(text), h->type, h->nsp, h->id, what);
        auto const follow = due == 1 ? " attachment follows" : " attachments follow";
        what.push_back({style::dim, std::to_string(due) + follow});
    }

    static void describe(socketio::message const& m, std::string_view mark, words& what) {
        socketio::packet const& p = m.packet;
        describe_address(mark, p.type, p.nsp, p.id, what);
        if (p.query) what.push_back({style::plain, "query " + elided(*p.query, 40)});
        if (auto const event = p.event_name(); !event.empty()) what.push_back({style::name, readable({event, {}})});
        if (is_event(p.type) || is_ack(p.type))
            for (auto const a : m.arguments()) what.push_back({a.binary() ? style::binary : style::plain, readable(a)});
        else if (!p.data.empty())
            what.push_back({style::plain, readable({p.data, {}})});
    }

    // JSON for a person: binary values in the place of their placeholders.
    static std::string readable(socketio::argument a) {
        std::string text;
        auto const done = json::write(text, shortened{a});
        return done ? elided(text, page::columns - data_column) : std::string(message(done.error().code));
    }

    struct shortened {
        socketio::argument data;

        friend void write_json(json::writer& out, shortened const& s) {
            support::rewrite(out, s.data.json(), [&](json::writer& w, json::text value) {
                auto const bytes = s.data.binary(value);
                if (bytes) w.begin_raw().raw_part('<' + bytes_text(as_characters(*bytes)) + '>').end_raw();
                return bytes.has_value();
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
        auto const line = "line " + std::to_string(h.line);
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

    bool conclude() {
        for (carrier const& c : carriers_) count(*c.source, c.encode_again());
        for (words const& d : differences_) out_.row({}, {2, 4}, d);
        if (not_json_ != 0)
            out_.row({}, {2, 2},
                     {{style::dim,
                       std::to_string(not_json_) + " messages are not in the JSON encoding of socket.io-parser:"},
                      {style::dim, "only their Engine.IO packets are shown and encoded again."}});
        tell(same_targets_, targets_, "request targets");
        tell(same_, carried_, "frames and bodies");
        return same_ == carried_ && same_targets_ == targets_;
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
    std::map<std::pair<bool, std::uint64_t>, link> links_;
    std::map<std::string, session> sessions_;
    std::deque<carrier> carriers_;
    std::vector<words> differences_;
    std::size_t targets_ = 0;
    std::size_t same_targets_ = 0;
    std::size_t carried_ = 0;
    std::size_t same_ = 0;
    std::size_t not_json_ = 0;
};

enum class outcome : std::uint8_t { same = 0, differs = 1, unreadable = 2 };

outcome inspect(page& out, char const* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::cerr << "inspect: " << path << ": cannot be opened\n";
        return outcome::unreadable;
    }
    capture_reader capture;
    if (!capture.read(file)) {
        std::cerr << "inspect: " << path << ": " << capture.complaint() << '\n';
        return outcome::unreadable;
    }
    auto const& happenings = capture.happenings();
    auto const summary =
        std::to_string(happenings.size()) + " happenings in " + std::to_string(happenings.back().time) + " ms";
    out.row({{style::strong, path}, {style::dim, "· " + summary}});
    out.gap();
    bool const same = inspector(out).inspect(happenings);
    return same ? outcome::same : outcome::differs;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: inspect CAPTURE.jsonl...\n\n"
                     "Prints captures of a client and a server, decoded, and encodes them again. The exit\n"
                     "status is 0 if all bytes are the recorded ones, 1 if some differ, 2 if a capture\n"
                     "cannot be read.\n";
        return 2;
    }
    page out(wants_colour());
    outcome worst = outcome::same;
    for (int i = 1; i != argc; ++i) {
        if (i != 1) out.gap();
        worst = std::max(worst, inspect(out, argv[i]));
    }
    return static_cast<int>(worst);
}
