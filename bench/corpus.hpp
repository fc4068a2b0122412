// The packets of bench/corpus: reads them, makes them C++ values, and encodes those; compares times.
#pragma once

#include <socketless/client.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/msgpack_parser.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

using namespace socketless;

// Has the compiler believe that the value is used, and that all memory may have changed since.
template <class T>
void keep(T const& value) {
#ifdef __GNUC__
    // What is larger stays where it is: to put it in registers would cost more than what is measured.
    if constexpr (std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*))
        asm volatile("" : : "r,m"(value) : "memory");
    else
        asm volatile("" : : "m"(value) : "memory");
#else
    static void const volatile* volatile sink;
    sink = &value;
#endif
}

//=== the corpus ===//

[[noreturn]] inline void fail(std::string_view why) {
    std::fprintf(stderr, "benchmark: %.*s\n", static_cast<int>(why.size()), why.data());
    std::abort();
}

inline void require(bool good, std::string_view what) {
    if (!good) fail(what);
}

// The value of a result; precondition: it has a value.
template <class T>
T checked(result<T> const& r, std::string const& what) {
    if (!r) fail(what + ": " + std::string(message(r.error().code)));
    return *r;
}

inline std::string read_file(std::string const& name) {
    std::ifstream file(SOCKETLESS_BENCH_CORPUS "/" + name, std::ios::binary);
    std::string contents(std::istreambuf_iterator<char>(file), {});
    require(!contents.empty(), SOCKETLESS_BENCH_CORPUS "/" + name + " cannot be read");
    return contents;
}

// A packet as it stands in a WebSocket frame.
struct sample {
    std::string name;
    std::string frame;

    [[nodiscard]] std::string_view packet() const { return std::string_view(frame).substr(1); }
    [[nodiscard]] std::string_view json() const { return checked(socketio::decode_header(packet()), name).payload; }
};

struct body {
    std::string name;
    std::string bytes;
    std::size_t packets; // an event and its attachments are one
};

struct corpus {
    std::array<sample, 5> packets;
    std::array<std::string, 2> attachments; // of the fifth packet
    std::array<body, 2> bodies;

    corpus() {
        for (std::size_t i = 0; i != packets.size(); ++i) {
            std::string const name{'P', static_cast<char>('1' + i)};
            packets[i] = {name, read_file(name + ".txt")};
        }
        attachments = {read_file("P5.bin0"), read_file("P5.bin1")};
        bodies = {body{"P6", read_file("P6.txt"), 64}, body{"P7", read_file("P7.txt"), 16}};
    }
};

//=== the packets as C++ values ===//

struct person {
    std::int64_t id;
    std::string name;
    std::vector<std::string> tags;
    bool ok;
    std::array<double, 2> pos;

    template <class Writer>
    friend void write_json(Writer& out, person const& p) {
        out.begin_object().member("id", p.id).member("name", p.name).member("tags", p.tags);
        out.member("ok", p.ok).member("pos", p.pos).end_object();
    }
};

struct chat_line {
    std::int64_t id;
    std::int64_t uid;
    std::string nick;
    std::string text;
    std::int64_t ts;
    bool read;

    template <class Writer>
    friend void write_json(Writer& out, chat_line const& l) {
        out.begin_object().member("id", l.id).key("from").begin_object();
        out.member("uid", l.uid).member("nick", l.nick).end_object();
        out.member("text", l.text).member("ts", l.ts).member("read", l.read).end_object();
    }
};

struct history {
    std::string room;
    std::vector<chat_line> msgs;

    template <class Writer>
    friend void write_json(Writer& out, history const& h) {
        out.begin_object().member("room", h.room).member("msgs", h.msgs).end_object();
    }
};

struct post {
    std::int64_t id;
    std::string user;
    std::string text;
    std::int64_t ts;
    std::array<double, 2> pos;
    bool read;
    std::optional<std::optional<std::int64_t>> reply; // absent, or null, or to a post

    template <class Writer>
    friend void write_json(Writer& out, post const& p) {
        out.begin_object().member("id", p.id).member("user", p.user).member("text", p.text);
        out.member("ts", p.ts).member("pos", p.pos).member("read", p.read);
        if (p.reply) out.member("reply", *p.reply);
        out.end_object();
    }
};

// An event of P6: like P2.
struct update {
    std::uint64_t id;
    person who;
};

struct part_of_file {
    std::int64_t seq;
    std::string name;

    template <class Writer>
    friend void write_json(Writer& out, part_of_file const& p) {
        out.begin_object().member("seq", p.seq).member("name", p.name).end_object();
    }
};

// An event of P7.
struct file_part {
    part_of_file about;
    std::string bytes;
};

template <class T>
T member(json::text object, std::string_view name) {
    return checked(object.find(name).value_or(json::text()).get<T>(), std::string(name));
}

inline json::text first_argument(sample const& s) {
    auto const p = checked(socketio::decode(s.packet()), s.name);
    return (*socketio::arguments(p).begin()).json();
}

inline std::array<double, 2> read_pos(json::text object) {
    std::array<double, 2> pos{};
    auto const numbers = member<json::text>(object, "pos").elements();
    std::ranges::transform(numbers, pos.begin(), [](json::text n) { return checked(n.get<double>(), "pos"); });
    return pos;
}

inline person read_person(json::text object) {
    return {member<std::int64_t>(object, "id"), member<std::string>(object, "name"),
            member<std::vector<std::string>>(object, "tags"), member<bool>(object, "ok"), read_pos(object)};
}

inline history read_history(json::text object) {
    history h{member<std::string>(object, "room"), {}};
    for (auto const line : member<json::text>(object, "msgs").elements()) {
        auto const from = member<json::text>(line, "from");
        h.msgs.push_back({member<std::int64_t>(line, "id"), member<std::int64_t>(from, "uid"),
                          member<std::string>(from, "nick"), member<std::string>(line, "text"),
                          member<std::int64_t>(line, "ts"), member<bool>(line, "read")});
    }
    return h;
}

inline std::vector<post> read_posts(sample const& s) {
    std::vector<post> posts;
    for (auto const p : first_argument(s).elements()) {
        post read;
        read.id = member<std::int64_t>(p, "id");
        read.user = member<std::string>(p, "user");
        read.text = member<std::string>(p, "text");
        read.ts = member<std::int64_t>(p, "ts");
        read.read = member<bool>(p, "read");
        read.pos = read_pos(p);
        if (auto const reply = p.find("reply"))
            read.reply = checked(reply->get<std::optional<std::int64_t>>(), "reply");
        posts.push_back(std::move(read));
    }
    return posts;
}

// Calls `take(packet)` for each Socket.IO packet of a body, with its attachments.
template <class Take>
void for_each_packet(body const& b, Take take) {
    std::string buffer(base64::max_decoded_size(b.bytes.size()), '\0');
    engineio::payload_reader reader(b.bytes, buffer);
    socketio::assembler assembler;
    while (auto const p = reader.next()) {
        auto const part = checked(*p, b.name);
        if (auto const m = checked(assembler.push({part.kind, part.data}), b.name)) take(*m);
    }
}

inline std::vector<update> read_updates(body const& b) {
    std::vector<update> updates;
    for_each_packet(b, [&](socketio::message const& m) {
        updates.push_back({m.packet.id.value_or(0), read_person((*m.arguments().begin()).json())});
    });
    return updates;
}

inline std::vector<file_part> read_files(body const& b) {
    std::vector<file_part> files;
    for_each_packet(b, [&](socketio::message const& m) {
        auto const about = (*std::next(m.arguments().begin())).json();
        files.push_back({{member<std::int64_t>(about, "seq"), member<std::string>(about, "name")},
                         std::string(as_characters(m.attachments[0]))});
    });
    return files;
}

//=== the packets read ===//

// Looks at all that a packet says: type, namespace, id, name, each argument.
inline bool read_all(socketio::packet const& p, std::span<byte_view const> attachments = {}) {
    keep(p.type);
    keep(p.nsp);
    keep(p.id);
    keep(p.event_name());
    for (socketio::argument const a : socketio::arguments(p, attachments)) {
        keep(a.json());
        keep(a.binary());
    }
    return true;
}

//=== the packets encoded ===//

struct values {
    person ada{123, "Ada", {"a", "b"}, true, {1.5, -2.25}};
    history chat;
    std::vector<post> posts;
    std::vector<update> updates;
    std::vector<file_part> files;

    explicit values(corpus const& c)
        : chat(read_history(first_argument(c.packets[2]))), posts(read_posts(c.packets[3])),
          updates(read_updates(c.bodies[0])), files(read_files(c.bodies[1])) {}
};

// Appends the packet with the index `i` from C++ values.
inline result<std::size_t> encode(std::size_t i, std::string& text, attachment_list& attachments, values const& v,
                                  corpus const& c) {
    switch (i) {
    case 0: return socketio::encode_event(text, {}, "message", "hello world");
    case 1: return socketio::encode_event(text, {.nsp = "/admin", .id = 17}, "update", v.ada);
    case 2: return socketio::encode_event(text, {}, "history", v.chat);
    case 3: return socketio::encode_event(text, {}, "sync", v.posts);
    default:
        return socketio::encode_event(text, attachments, {}, "img", as_bytes(c.attachments[0]),
                                      json::object("meta", "x"), as_bytes(c.attachments[1]));
    }
}

//=== time ===//

// Nanoseconds that one of many calls of `work` took. All together are short beside a scheduler's time slice: most
// rounds run undisturbed even on a busy machine.
template <class Work>
double time_of(Work work, int calls = 2'000) {
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i != calls; ++i) {
        keep(work());
    }
    std::chrono::duration<double, std::nano> const took = std::chrono::steady_clock::now() - start;
    return took.count() / calls;
}

inline double median(std::vector<double> v) {
    auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::ranges::nth_element(v, middle);
    return *middle;
}

} // namespace bench
