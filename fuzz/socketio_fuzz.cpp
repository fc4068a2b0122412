// Socket.IO: headers and whole packets agree, packets survive being encoded again, and it makes no difference whether
// the assembler borrows its input or keeps it. The first byte of the input sets revision and limits; behind it are
// messages, separated by 0xff (which is in no text); one that begins with 0xfe is binary. Or the first byte says that
// what is behind it is one message of the MessagePack parser: its packet survives being encoded by either side.

#include "input.hpp"
#include "tools/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using namespace socketless::socketio;
using fuzz::check;

std::vector<frame> split(std::string_view messages) {
    std::vector<frame> frames;
    for (;;) {
        auto const end = std::min(messages.find('\xff'), messages.size());
        auto const message = messages.substr(0, end);
        if (message.starts_with('\xfe'))
            frames.push_back({frame_kind::binary, message.substr(1)});
        else
            frames.push_back({frame_kind::text, message});
        if (end == messages.size()) return frames;
        messages.remove_prefix(end + 1);
    }
}

void check_text(std::string_view text, revision r, limits const& l) {
    auto const h = decode_header(text, r, l);
    auto const p = decode(text, r, l);
    if (!h) {
        fuzz::check_offset(h.error(), text);
        check(!p && p.error() == h.error());
        return;
    }
    check(fuzz::is_within(h->nsp, text) || h->nsp == "/");
    check(fuzz::is_within(h->payload, text) && h->attachments <= l.max_attachments);
    check(is_binary(h->type) == (h->attachments != 0));
    if (!p) return fuzz::check_offset(p.error(), text);
    check(p->type == h->type && p->nsp == h->nsp && p->query == h->query && p->id == h->id);
    check(p->attachments == h->attachments && fuzz::is_within(p->data.raw(), h->payload));
    check(is_event(p->type) != p->event_name().empty());

    std::string encoded;
    check(encode(encoded, *p) == encoded.size());
    check(decode(encoded, r, l) == p);
}

bool same(socketio::message const& a, socketio::message const& b) {
    return a.packet == b.packet && std::ranges::equal(a.attachments, b.attachments, [](byte_view x, byte_view y) {
               return std::ranges::equal(x, y);
           });
}

// All elements of a packet's data as arguments, the name of an event included.
std::vector<argument> elements(socketio::message const& m) {
    std::vector<argument> all;
    for (auto const element : m.packet.data.elements()) all.emplace_back(element, m.attachments);
    return all;
}

// Binary values as hexadecimal, so that the same bytes read the same.
std::string shown(argument const& a) {
    std::string text;
    check(json::write(text, support::shown{a}).has_value());
    return text;
}

void check_arguments(socketio::message const& m) {
    auto const all = elements(m);
    auto const arguments = m.arguments();
    check(arguments.size() == all.size() - (is_event(m.packet.type) ? 1 : 0));
    for (auto const a : arguments) {
        check(fuzz::is_within(a.json().raw(), m.packet.data.raw()));
        auto const bytes = a.get<byte_view>();
        check(bytes.has_value() == a.binary().has_value() && !(bytes && a.get<json::text>()));
    }
    if (!is_event(m.packet.type) && !is_ack(m.packet.type)) return;

    // Written into another packet, with attachments of its own, they are the same arguments.
    std::string text;
    attachment_list attachments;
    auto const type = is_event(m.packet.type) ? packet_type::event : packet_type::ack;
    check(encode_array(text, attachments, type, {m.packet.nsp, m.packet.id}, all).has_value());
    limits none;
    none.max_depth = limits::deepest;
    none.max_attachments = std::numeric_limits<std::uint32_t>::max();
    none.max_attachments_size = std::numeric_limits<std::size_t>::max();
    assembler other(revision::v5, none);
    auto copy = other.push({frame_kind::text, text});
    for (auto const bytes : attachments) {
        check(copy && !*copy);
        copy = other.push({frame_kind::binary, as_characters(bytes)});
    }
    check(copy && *copy && (*copy)->packet.nsp == m.packet.nsp && (*copy)->packet.id == m.packet.id);
    check(std::ranges::equal(all, elements(**copy),
                             [](argument const& a, argument const& b) { return shown(a) == shown(b); }));
}

// One assembler borrows, the other keeps and loses its input.
void check_messages(std::span<frame const> frames, revision r, limits const& l) {
    assembler borrowing(r, l);
    assembler keeping(r, l);
    for (frame const f : frames) {
        std::string input(f.data);
        auto const a = borrowing.push(f);
        auto const b = keeping.push({f.kind, input});
        check(a.has_value() == b.has_value() && borrowing.attachments_due() == keeping.attachments_due());
        if (!a) {
            check(a.error() == b.error() && borrowing.attachments_due() == 0);
            continue;
        }
        check(a->has_value() == b->has_value());
        if (*a) {
            check(same(**a, **b));
            check_arguments(**a);
        }
        keeping.retain();
        input.assign(input.size(), '?');
    }
}

std::string encode_as_msgpack(socketio::message const& m, sender from) {
    argument const whole(m.packet.data, m.attachments);
    auto const write = [&whole](json::writer& out) { out.value(whole); };
    outgoing_packet::write_function const payload(write);
    auto const type = socketio::detail::without_attachments(m.packet.type);
    bool const has_payload = !m.packet.data.empty();
    std::string nsp(m.packet.nsp);
    if (m.packet.query) nsp += '?' + std::string(*m.packet.query);
    std::string encoded;
    auto const kind =
        msgpack_parser.encode({type, nsp, m.packet.id, from, has_payload ? &payload : nullptr}, encoded, limits());
    check(kind == frame_kind::binary);
    return encoded;
}

void check_msgpack(std::string_view bytes, revision r, limits const& l) {
    auto const p = decode_msgpack(bytes, l);
    if (!p) fuzz::check_offset(p.error(), bytes);
    if (p) check(fuzz::is_within(p->nsp, bytes) && fuzz::is_within(p->data.raw(), bytes));

    socketio::detail::packets_of_parser packets(msgpack_parser, sender::server);
    auto const m = packets.decode({frame_kind::binary, bytes}, text_check::due, r, l);
    if (!m) return;
    check(p.has_value() &&
          json::validate(m->packet.data.empty() ? "0" : m->packet.data.raw(), l.max_depth).has_value());
    check_arguments(*m);
    // Encoded once, a packet stays as it is: what JSON has not is gone, and so is -0.
    auto const once = encode_as_msgpack(*m, sender::server);
    socketio::detail::packets_of_parser others(msgpack_parser, sender::client);
    auto const again = others.decode({frame_kind::binary, once}, text_check::due, r, l);
    check(again && again->packet.type == m->packet.type && again->packet.nsp == m->packet.nsp &&
          again->packet.query == m->packet.query && again->packet.id == m->packet.id);
    check(std::ranges::equal(elements(*m), elements(*again), [](argument const& a, argument const& b) {
        return shown(a) == shown(b); // reads -0 as 0
    }));
    auto const twice = encode_as_msgpack(*again, sender::client);
    auto const by_client = packets.decode({frame_kind::binary, twice}, text_check::due, r, l);
    check(by_client && same(*by_client, *again) && encode_as_msgpack(*by_client, sender::server) == once);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const options = in.take();
    auto const r = (options & 1u) == 0 ? revision::v5 : revision::v4;
    limits l;
    if ((options & 2u) != 0) {
        l.max_depth = 5;
        l.max_attachments = 2;
        l.max_attachments_size = 16;
    }
    if ((options & 4u) != 0) return check_msgpack(in.rest(), r, l), 0;
    auto const frames = split(in.rest());
    for (frame const f : frames)
        if (f.kind == frame_kind::text) check_text(f.data, r, l);
    check_messages(frames, r, l);
    return 0;
}
