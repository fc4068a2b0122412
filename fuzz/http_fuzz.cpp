// HTTP: a connection gives the same messages however its bytes are cut, in bounded memory, and what a reader accepts is
// read again when it is written again. The first byte of the input chooses what is read.

#include "input.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using namespace socketless::http;
using fuzz::check;

struct owned_field {
    std::string name;
    std::string value;

    friend bool operator==(owned_field const&, owned_field const&) = default;
};

// A message with its own bytes.
struct owned_message {
    std::string start;
    std::vector<owned_field> fields;
    std::string body;
    bool has_ended = false;

    friend bool operator==(owned_message const&, owned_message const&) = default;
};

// Messages, the error behind them, and the bytes of another protocol that were left.
struct outcome {
    std::vector<owned_message> messages;
    std::optional<errc> failure;
    std::string rest;

    friend bool operator==(outcome const&, outcome const&) = default;
};

std::string start_of(request_head const& h) {
    auto const length = h.content_length ? std::to_string(*h.content_length) : "";
    return std::string(h.method) + ' ' + std::string(h.target) + ' ' + std::string(h.host) + ' ' + length +
           (h.is_chunked ? " chunked" : "") + (h.keep_alive ? " keep" : "") + (h.expects_continue ? " 100" : "") +
           (h.minor_version == 1 ? " 1.1" : " 1.0");
}

std::string start_of(response_head const& h) {
    auto const length = h.content_length ? std::to_string(*h.content_length) : "";
    return std::to_string(h.status) + ' ' + std::string(h.reason) + ' ' + length + (h.is_chunked ? " chunked" : "") +
           (h.keep_alive ? " keep" : "") + (h.minor_version == 1 ? " 1.1" : " 1.0");
}

template <class Head>
std::vector<owned_field> fields_of(Head const& h) {
    std::vector<owned_field> all;
    for (field const f : h.fields) {
        check(is_valid(f) && token::trimmed(f.value) == f.value && h.fields.find(f.name).has_value());
        all.push_back({std::string(f.name), std::string(f.value)});
    }
    return all;
}

// The head is what it was when it was read.
template <class Reader>
void check_head(Reader& reader, owned_message const& m) {
    reader.keep_head();
    check(start_of(reader.head()) == m.start && fields_of(reader.head()) == m.fields);
}

template <class Reader>
void read_chunk(Reader& reader, std::span<char> input, outcome& o) {
    while (!o.failure) {
        auto const left = input.size();
        auto const p = reader.read(input);
        check(input.size() <= left);
        if (!p) {
            o.failure = p.error().code;
        } else if (!*p) {
            break;
        } else if ((*p)->type == part_type::head) {
            o.messages.push_back({start_of(reader.head()), fields_of(reader.head()), {}});
            check(input.size() < left && !reader.is_idle());
        } else if ((*p)->type == part_type::body) {
            check(!(*p)->data.empty() && !o.messages.back().has_ended);
            o.messages.back().body.append((*p)->data.data(), (*p)->data.size());
            check_head(reader, o.messages.back());
        } else {
            check_head(reader, o.messages.back());
            check(!o.messages.back().has_ended);
            o.messages.back().has_ended = true;
        }
    }
    if (!o.failure) reader.keep_head();
    if (o.failure)
        o.rest.clear();
    else
        o.rest.append(input.data(), input.size());
}

// Reads a connection in chunks of these sizes, the last one again and again; no chunk outlives its turn.
template <class Reader>
outcome read(Reader reader, std::string_view bytes, std::string_view sizes) {
    outcome o;
    std::size_t size = std::numeric_limits<std::size_t>::max();
    while (!bytes.empty() && !o.failure) {
        if (!sizes.empty()) {
            size = 1 + static_cast<unsigned char>(sizes.front()) % 32u;
            sizes.remove_prefix(1);
        }
        std::vector<char> chunk(bytes.begin(),
                                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(size, bytes.size())));
        bytes.remove_prefix(chunk.size());
        read_chunk(reader, chunk, o);
    }
    return o;
}

http::limits limits_from(std::uint8_t choice) {
    if (choice < 128) return {};
    return {.max_head = 128, .max_target = 16, .max_fields = 4, .max_extras = 8, .max_body = 16};
}

void check_limits(outcome const& o, http::limits const& l) {
    for (auto const& m : o.messages) check(m.fields.size() <= l.max_fields && m.body.size() <= l.max_body);
}

// What was read can be written, and is read the same. The body goes into chunks, whatever it came in.
void fuzz_written(owned_message const& m, std::string_view method, std::string_view target) {
    std::vector<field> fields;
    for (auto const& f : m.fields)
        if (!token::equals(f.name, "Content-Length") && !token::equals(f.name, "Transfer-Encoding"))
            fields.push_back({f.name, f.value});
    bool const has_host = std::ranges::any_of(fields, [](auto const& f) { return token::equals(f.name, "Host"); });
    if (!has_host) fields.push_back({"Host", "a"});
    fields.push_back({"Transfer-Encoding", "chunked"});
    std::string wire;
    check(write_request_head(wire, method, target, fields).has_value());
    auto const half = m.body.size() / 2;
    check(write_chunk(wire, std::string_view(m.body).substr(0, half)).has_value());
    check(write_chunk(wire, std::string_view(m.body).substr(half)).has_value());
    check(write_last_chunk(wire) == 5u);

    http::limits large;
    large.max_fields = fields.size();
    large.max_head = wire.size();
    auto const again = read(request_reader(large), wire, "\7");
    check(!again.failure && again.messages.size() == 1 && again.messages[0].has_ended);
    check(again.messages[0].body == m.body && again.messages[0].fields.size() == fields.size());
}

void fuzz_requests(fuzz::input in, http::limits const& l) {
    auto const sizes = in.take(in.take() % 16u);
    auto const whole = read(request_reader(l), in.rest(), {});
    check(whole == read(request_reader(l), in.rest(), sizes));
    check(whole.rest.empty());
    check_limits(whole, l);
    for (auto const& m : whole.messages) {
        if (!m.has_ended) continue;
        auto const method = m.start.substr(0, m.start.find(' '));
        fuzz_written(m, method, method == "CONNECT" ? "a:80" : method == "OPTIONS" ? "*" : "/");
    }
}

void fuzz_answers(fuzz::input in, http::limits const& l) {
    auto const kind = in.take() % 3u;
    auto const reader = [&] {
        response_reader r(l);
        r.expect(kind == 0 ? "GET" : kind == 1 ? "HEAD" : "CONNECT");
        return r;
    };
    auto const sizes = in.take(in.take() % 16u);
    auto const whole = read(reader(), in.rest(), {});
    check(whole == read(reader(), in.rest(), sizes));
    check_limits(whole, l);
}

void fuzz_url(std::string_view text) {
    auto const u = parse_url(text);
    if (!u) return fuzz::check_offset(u.error(), text);
    check(!u->host.empty() && u->port != 0 && u->path.starts_with('/'));
    check(fuzz::is_within(u->host, text) && fuzz::is_within(u->query, text) && fuzz::is_within(u->userinfo, text));
    std::string again =
        std::string(u->scheme) + "://" + (u->is_ipv6 ? '[' + std::string(u->host) + ']' : std::string(u->host));
    again += ':' + std::to_string(u->port) + std::string(u->path) + '?' + std::string(u->query);
    auto const read_again = parse_url(again);
    check(read_again && read_again->host == u->host && read_again->port == u->port && read_again->path == u->path &&
          read_again->query == u->query && read_again->is_secure() == u->is_secure());
}

// Each line is a Set-Cookie.
void fuzz_cookies(std::string_view lines) {
    cookie_jar jar("example.org", cookie_channel::plain);
    time_point now{};
    while (!lines.empty()) {
        auto const size = std::min(lines.find('\n'), lines.size());
        jar.store(lines.substr(0, size), "/a/b?c", now += milliseconds(500));
        lines.remove_prefix(std::min(size + 1, lines.size()));
        std::string value;
        check(jar.write(value, "/a/b?d", now).has_value());
        check(jar.size() <= cookie_jar::max_cookies && value.size() <= 2 * cookie_jar::max_size);
        check(is_valid({"Cookie", value}));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const choice = in.take();
    auto const l = limits_from(choice);
    switch (choice % 8u) {
    case 0: fuzz_url(in.rest()); break;
    case 1: fuzz_cookies(in.rest()); break;
    case 2:
    case 3:
    case 4: fuzz_answers(in, l); break;
    default: fuzz_requests(in, l); break;
    }
    return 0;
}
