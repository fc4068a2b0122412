// WebSocket: every chunking of a stream gives the same events, which are those of a plain reading of the standard; two
// ends agree on what was said, whatever they do; a handshake that one end makes the other accepts. The first byte of
// the input chooses what is done with the rest.

#include "input.hpp"
#include "websocket_reference.hpp"

#include <socketless/socketless.hpp>

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;
using namespace socketless::websocket;
using fuzz::check;
using fuzz::reading;

// Memory of its own for each chunk, so that a sanitizer sees each access beyond it.
class chunk {
public:
    explicit chunk(std::string_view bytes) : memory_(new char[bytes.size()]), size_(bytes.size()) {
        std::copy(bytes.begin(), bytes.end(), memory_.get());
    }
    [[nodiscard]] std::span<char> span() const noexcept { return {memory_.get(), size_}; }

private:
    std::unique_ptr<char[]> memory_;
    std::size_t size_;
};

// Cuts a stream into chunks, whose sizes go round.
class cutter {
public:
    cutter(std::string_view stream, std::string_view sizes) noexcept : rest_(stream), sizes_(sizes) {}

    [[nodiscard]] bool is_over() const noexcept { return rest_.empty(); }
    std::string_view next() noexcept {
        std::size_t const size =
            sizes_.empty() ? rest_.size() : static_cast<unsigned char>(sizes_[at_++ % sizes_.size()]);
        auto const piece = rest_.substr(0, std::max<std::size_t>(size, 1));
        rest_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view rest_;
    std::string_view sizes_;
    std::size_t at_ = 0;
};

reading read(role r, reader_limits const& limits, cutter cut) {
    reading all;
    message_reader reader(r, limits);
    do {
        chunk const memory(cut.is_over() ? std::string_view() : cut.next());
        for (std::span<char> input = memory.span();;) {
            auto const event = reader.read(input);
            if (!event) {
                check(input.empty() && (!all.failure || *all.failure == event.error().code));
                all.failure = event.error().code;
                break;
            }
            check(!all.failure);
            if (!*event) break;
            all.add(**event);
            std::fill((*event)->data.begin(), (*event)->data.end(), '?');
        }
    } while (!cut.is_over());
    return all;
}

// A connection reads the same stream. What it says is good, and it ends once.
void run_connection(role r, reader_limits const& limits, cutter cut) {
    role const other = r == role::client ? role::server : role::client;
    connection c(r, limits);
    message_reader peer(other);
    std::size_t ends = 0;
    std::size_t closes = 0;
    while (!cut.is_over()) {
        chunk const memory(cut.next());
        for (std::span<char> input = memory.span(); auto const event = c.read(input);)
            if (event->type == connection_event_type::closed) ++ends;
        if (!c.has_output()) continue;
        std::string out;
        c.write_output(out, [] { return mask_key{'a', 'b', 'c', 'd'}; });
        for (std::span<char> said = out;;) {
            auto const event = peer.read(said);
            check(event.has_value());
            if (!*event) break;
            check((*event)->type == message_event_type::pong || (*event)->type == message_event_type::close);
            if ((*event)->type == message_event_type::close) ++closes;
        }
    }
    check(ends <= 1 && closes == ends && c.is_done() == (ends == 1) && c.is_open() == (ends == 0));
    if (c.lost()) ++ends;
    check(ends == 1 && c.is_done() && !c.lost());
}

// The most memory that is kept for a stream, between its chunks.
void check_memory(role r, reader_limits const& limits, cutter cut) {
    std::string bytes(256, '\0');
    message_reader reader(r, limits);
    std::size_t const before = __sanitizer_get_current_allocated_bytes();
    while (!cut.is_over()) {
        auto const piece = cut.next();
        bytes.assign(piece);
        std::span<char> input = bytes;
        for (;;) {
            auto const event = reader.read(input);
            if (!event || !*event) break;
        }
        check(__sanitizer_get_current_allocated_bytes() <= before + limits.max_message + max_control_payload + 16);
    }
}

void fuzz_stream(role r, fuzz::input in) {
    reader_limits limits;
    limits.max_message = std::size_t{in.take()} * 4;
    limits.max_fragments = 1 + in.take() % 16u;
    auto const sizes = in.take(in.take() % 8u);
    auto const stream = in.rest();
    auto const expected = fuzz::read_plainly(r, limits, stream);
    check(read(r, limits, {stream, {}}) == expected);
    check(read(r, limits, {stream, sizes}) == expected);
    check(read(r, limits, {stream, "\1"}) == expected);
    check_memory(r, limits, {stream, sizes.empty() ? "\3" : sizes});
    run_connection(r, limits, {stream, sizes});
}

// One end of two that talk to each other.
struct end {
    explicit end(role r) : self(r) {}

    connection self;
    std::string sent; // not yet received by the other
    std::deque<std::pair<frame_kind, std::string>> due;
    std::size_t closed = 0;

    void receive(end& other, std::size_t size) {
        chunk const memory(std::string_view(other.sent).substr(0, size));
        other.sent.erase(0, memory.span().size());
        for (std::span<char> input = memory.span(); auto const event = self.read(input);) {
            if (event->type == connection_event_type::closed) {
                check(++closed == 1 && event->how == closure::clean && event->error == errc{});
                continue;
            }
            check(!other.due.empty() && event->kind == other.due.front().first);
            check(event->message().data == other.due.front().second);
            other.due.pop_front();
        }
    }

    void flush() {
        self.write_output(sent, [] { return mask_key{'\1', '\x80', '\xff', 'k'}; });
    }
};

void step(end& one, end& other, fuzz::input& in) {
    auto const which = in.take();
    switch (which % 6u) {
    case 0:
    case 1: {
        frame const f{frame_kind::binary, in.take(in.take() * (which < 128 ? 1u : 3u))};
        if (one.self.write_message(one.sent, f, {'k', 'e', 'y', static_cast<char>(which & 0x7fu)}))
            one.due.emplace_back(f.kind, f.data);
        break;
    }
    case 2: one.self.close(static_cast<close_code>(1000 + in.take() * 16u), in.take(which / 2u)).ignore(); break;
    case 3: one.flush(); break;
    default: one.receive(other, in.take()); break;
    }
}

void fuzz_talk(fuzz::input in) {
    end client(role::client);
    end server(role::server);
    while (!in.rest().empty()) (in.take() % 2u == 0 ? step(client, server, in) : step(server, client, in));
    // All that was said arrives, and both have the same idea of the end.
    client.self.close().ignore();
    for (int i = 0; i != 3; ++i) {
        client.flush();
        server.receive(client, client.sent.size());
        server.flush();
        client.receive(server, server.sent.size());
    }
    check(client.closed == 1 && server.closed == 1 && client.due.empty() && server.due.empty());
    check(client.self.is_done() && server.self.is_done());
}

struct field {
    std::string_view name;
    std::string_view value;
};

// Lines of a name, a colon and a value.
std::vector<field> fields_of(std::string_view text) {
    std::vector<field> fields;
    while (!text.empty()) {
        auto const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        auto const colon = std::min(line.find(':'), line.size());
        fields.push_back({line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))});
    }
    return fields;
}

void fuzz_request(std::string_view text) {
    auto const fields = fields_of(text);
    auto const offer = read_request("GET", 1, fields);
    if (!offer) return check(status_of(offer.error().code) >= 400);
    check(is_upgrade(fields) && offer->key.size() == key_value().size());
    std::vector<std::string_view> offered;
    for (std::string_view const s : offer->subprotocols) {
        check(token::is_valid(s) && fuzz::is_within(s, text));
        check(std::find(offered.begin(), offered.end(), s) == offered.end());
        offered.push_back(s);
    }
    check(offered.size() <= max_subprotocols && offer->subprotocols.empty() == offered.empty());

    std::vector<std::pair<std::string, std::string>> answer;
    auto const first = offer->subprotocols.first();
    write_response_fields(accept_of(offer->key), first,
                          [&](std::string_view n, std::string_view v) { answer.emplace_back(n, v); });
    std::vector<field> views;
    for (auto const& [n, v] : answer) views.push_back({n, v});
    check(check_response(101, views, offer->key, offered) == first);
}

void fuzz_response(std::string_view text) {
    constexpr std::array<std::string_view, 2> offered{"chat", "superchat"};
    auto const fields = fields_of(text);
    auto const chosen = check_response(101, fields, "dGhlIHNhbXBsZSBub25jZQ==", offered);
    if (chosen) check(chosen->empty() || *chosen == offered[0] || *chosen == offered[1]);
}

void fuzz_text(fuzz::input in) {
    auto const sizes = in.take(in.take() % 8u);
    auto const text = in.rest();
    utf8::stream_validator validator;
    std::size_t position = 0;
    for (cutter cut(text, sizes); !cut.is_over();) {
        auto const piece = cut.next();
        if (auto const good = validator.push(piece); !good) {
            position += good.error().offset;
            check(fuzz::can_become_utf8(text.substr(0, position)));
            return check(!fuzz::can_become_utf8(text.substr(0, position + 1)));
        }
        position += piece.size();
    }
    check(validator.is_complete() == utf8::validate(text).has_value() && fuzz::can_become_utf8(text));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    switch (in.take() % 8u) {
    case 0:
    case 4: fuzz_stream(role::client, in); break;
    case 1:
    case 5: fuzz_stream(role::server, in); break;
    case 2: fuzz_talk(in); break;
    case 3: fuzz_request(in.rest()); break;
    case 6: fuzz_response(in.rest()); break;
    default: fuzz_text(in); break;
    }
    return 0;
}
