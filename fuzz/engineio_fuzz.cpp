// Engine.IO: all ways of decoding give the same packets, which survive being encoded again. The first byte of the input
// chooses how the rest is read.

#include "input.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using namespace socketless::engineio;
using fuzz::check;

constexpr auto no_limit = std::numeric_limits<std::size_t>::max();

// A packet with its own bytes.
struct owned_packet {
    packet_type type;
    frame_kind kind;
    std::string data;

    explicit owned_packet(packet const& p) : type(p.type), kind(p.kind), data(p.data) {}

    [[nodiscard]] packet view() const { return {type, kind, data}; }
    friend bool operator==(owned_packet const&, owned_packet const&) = default;
};

// Packets, and the error that ended them.
struct outcome {
    std::vector<owned_packet> packets;
    std::optional<error> failure;

    friend bool operator==(outcome const&, outcome const&) = default;
};

void fuzz_frame(std::string_view bytes, frame_kind kind, revision r) {
    frame const f{kind, bytes};
    std::string beside(base64::max_decoded_size(bytes.size()), '\0');
    std::string in_place(bytes);
    auto const p = decode(f, r, beside);
    check(p == decode({kind, in_place}, r, in_place));
    if (!p) return fuzz::check_offset(p.error(), bytes);

    bool const is_base64 = kind == frame_kind::text && p->kind == frame_kind::binary;
    auto const without_buffer = decode(f, r);
    check(is_base64 ? !without_buffer || p->data.empty() : without_buffer == p && fuzz::is_within(p->data, bytes));

    std::string encoded;
    check(encode(encoded, *p, r) == encoded.size());
    check(is_base64 || encoded == bytes);
    check(decode({p->kind, encoded}, r) == p);
    std::string text;
    check(encode_as_text(text, *p, r) == text.size());
    check(decode({frame_kind::text, text}, r, text) == p);
}

outcome read_all(payload_reader reader) {
    outcome o;
    while (auto const p = reader.next()) {
        check(!o.failure);
        if (*p)
            o.packets.emplace_back(**p);
        else
            o.failure = p->error();
    }
    check(!reader.next());
    return o;
}

void fuzz_payload(std::string_view body, payload_format format, limits const& l) {
    std::string in_place(body);
    std::string buffer(base64::max_decoded_size(body.size()), '\0');
    auto const read = read_all(payload_reader(in_place, format, l));
    check(read == read_all(payload_reader(body, buffer, format, l)));
    check(read.packets.size() <= l.max_packets);
    if (read.failure) fuzz::check_offset(*read.failure, body);
    if (read.packets.empty()) return;

    std::string written;
    payload_writer writer(written, no_limit, format);
    for (auto const& p : read.packets) check(*writer.push(p.view()));
    std::string copy(written);
    check(read_all(payload_reader(copy, format)) == outcome{read.packets, std::nullopt});
    bool const all_text = std::ranges::all_of(read.packets, [](auto const& p) { return p.kind == frame_kind::text; });
    if (format == payload_format::v4 && all_text && !read.failure) check(written == body);

    // Only the first packet may exceed the limit, and a packet that is refused leaves no trace.
    std::size_t const limit = written.size() / 2;
    std::string limited;
    payload_writer tight(limited, limit, format);
    for (auto const& p : read.packets) {
        auto const before = limited.size();
        bool const taken = *tight.push(p.view());
        check(taken ? before == 0 || limited.size() <= limit : limited.size() == before && before != 0);
        check(taken ? limited.size() > before : true);
    }
}

// Reads a stream that arrives in chunks of these sizes, the last one again and again; no chunk outlives its turn.
outcome read_stream(std::string_view stream, std::string_view sizes, std::size_t max_payload, bool& incomplete) {
    outcome o;
    stream_reader reader(max_payload);
    std::size_t size = no_limit;
    while (!stream.empty()) {
        if (!sizes.empty()) {
            size = 1 + static_cast<unsigned char>(sizes.front()) % 32u;
            sizes.remove_prefix(1);
        }
        std::string const chunk(stream.substr(0, size));
        stream.remove_prefix(chunk.size());
        reader.push(chunk);
        while (auto const f = reader.next()) {
            check(!o.failure);
            if (!*f) {
                o.failure = f->error();
                continue;
            }
            check(!(*f)->data.empty() && (*f)->data.size() <= max_payload);
            std::string buffer((*f)->data.size(), '\0');
            if (auto const p = decode(**f, revision::v4, buffer)) o.packets.emplace_back(*p);
        }
    }
    incomplete = reader.incomplete();
    return o;
}

void fuzz_stream(fuzz::input in) {
    std::size_t const max_payload = std::size_t{1} << in.take() % 20u;
    auto const sizes = in.take(in.take() % 16u);
    bool incomplete = false;
    bool cut_incomplete = false;
    auto const read = read_stream(in.rest(), {}, max_payload, incomplete);
    check(read == read_stream(in.rest(), sizes, max_payload, cut_incomplete) && incomplete == cut_incomplete);
    if (read.failure) fuzz::check_offset(*read.failure, in.rest());

    std::string written;
    outcome sendable;
    for (auto const& p : read.packets) {
        bool const fits = p.kind == frame_kind::text || !p.data.empty();
        check(encode_for_stream(written, p.view()).has_value() == fits);
        if (fits) sendable.packets.push_back(p);
    }
    check(read_stream(written, sizes, no_limit, incomplete) == sendable && !incomplete);
}

void fuzz_handshake(std::string_view data) {
    auto const h = decode_handshake(data);
    if (!h) return fuzz::check_offset(h.error(), data);
    check(fuzz::is_within(h->sid, data) && !h->sid.empty());
    for (auto const duration : {h->ping_interval, h->ping_timeout})
        check(duration.count() > 0 && duration <= longest_ping);
    std::string encoded;
    check(encode_handshake(encoded, *h) == encoded.size());
    check(decode_handshake(encoded) == h);
}

void fuzz_target(std::string_view target) {
    auto const read = parse_request_target(target);
    if (!read) return fuzz::check_offset(read.error(), target);
    check(fuzz::is_within(read->path, target) && fuzz::is_within(read->query.raw(), target));

    std::deque<std::string> storage;
    auto const decoded = [&storage](std::string_view text) {
        auto const value = percent::decode(text, storage.emplace_back(text.size(), '\0'));
        check(!value || percent::equals(text, *value));
        return value;
    };
    std::vector<query_parameter> own;
    for (auto const p : read->query) {
        check(fuzz::is_within(p.name, target) && fuzz::is_within(p.value, target));
        auto const name = decoded(p.name);
        auto const value = decoded(p.value);
        check(!name || *name == percent::decoded(p.name));
        check(!value || *value == percent::decoded(p.value));
        check(!name || read->query.find(*name).has_value());
        if (!name || !value) return;
        if (*name == "EIO" || *name == "transport" || *name == "sid" || *name == "b64") continue;
        own.push_back({*name, *value});
    }
    auto const sid = decoded(read->sid.value_or(""));
    if (!sid || !read->transport) return;

    std::string written;
    request_fields const fields{read->path, own, read->revision, *read->transport, {}, read->base64, *sid};
    check(write_request_target(written, fields) == written.size());
    auto const again = parse_request_target(written);
    check(again && again->path == read->path && again->revision == read->revision);
    check(again->transport == read->transport && again->base64 == read->base64);
    check(percent::equals(again->sid.value_or(""), *sid));
    auto next = again->query.begin();
    for (auto const& p : own) {
        check(next != again->query.end());
        check(percent::equals((*next).name, p.name) && percent::equals((*next).value, p.value));
        ++next;
    }
}

void fuzz_refusal(std::string_view answer) {
    auto const e = decode_request_error(answer);
    if (!e) return fuzz::check_offset(e.error(), answer);
    check(decode_request_error(body(*e)) == e && (status(*e) == 400 || status(*e) == 403));
}

// The tools of the codecs, on bytes of any kind.
void fuzz_text(std::string_view bytes) {
    std::string encoded(base64::encoded_size(bytes.size()), '\0');
    check(base64::encode(bytes, encoded.data()) == encoded.data() + encoded.size());
    check(base64::decode(encoded, encoded) == bytes.size() && encoded.starts_with(bytes));

    std::string component;
    check(percent::encode(component, bytes) == component.size() && percent::equals(component, bytes));
    check(percent::decode(component, component) == bytes);

    // Sequence by sequence, with the same outcome as all at once.
    auto const valid = utf8::validate(bytes);
    std::size_t at = 0;
    std::size_t units = 0;
    while (auto const length = utf8::sequence_length(bytes.substr(at))) {
        at += length;
        units += utf8::utf16_units(length);
    }
    check(valid.has_value() == (at == bytes.size()));
    check(valid ? utf8::utf16_length(bytes) == units : valid.error() == error{errc::invalid_utf8, at});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using enum payload_format;
    fuzz::input in(data, size);
    auto const choice = in.take();
    limits few;
    few.max_packets = 3;
    limits const l = choice < 128 ? limits() : few;
    switch (choice % 16u) {
    case 0: fuzz_frame(in.rest(), frame_kind::text, revision::v4); break;
    case 1: fuzz_frame(in.rest(), frame_kind::binary, revision::v4); break;
    case 2: fuzz_frame(in.rest(), frame_kind::text, revision::v3); break;
    case 3: fuzz_frame(in.rest(), frame_kind::binary, revision::v3); break;
    case 4: fuzz_payload(in.rest(), v4, l); break;
    case 5: fuzz_payload(in.rest(), v3_text, l); break;
    case 6: fuzz_payload(in.rest(), v3_binary, l); break;
    case 7: fuzz_stream(in); break;
    case 8: fuzz_handshake(in.rest()); break;
    case 9: fuzz_target(in.rest()); break;
    case 10: fuzz_refusal(in.rest()); break;
    default: fuzz_text(in.rest()); break;
    }
    return 0;
}
