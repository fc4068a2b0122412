// codec_bench: how fast the codecs are on the packets of bench/corpus, and a fast JSON parser beside them.
//
//     codec_bench --benchmark_filter=P2            one packet
//     codec_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
//                 --benchmark_report_aggregates_only=true
//     codec_bench --ratio                          decode against RapidJSON on P2: medians of interleaved rounds
//
// Every input is decoded, encoded and compared once before anything is measured.

#include <socketless/socketless.hpp>

#include <benchmark/benchmark.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;

//=== the corpus ===//

[[noreturn]] void fail(std::string const& why) {
    std::fprintf(stderr, "codec_bench: %s\n", why.c_str());
    std::abort();
}

void require(bool good, std::string const& what) {
    if (!good) fail(what);
}

// Asks for the value of a result that has one.
template <class T>
T checked(result<T> const& r, std::string const& what) {
    if (!r) fail(what + ": " + std::string(message(r.error().code)));
    return *r;
}

std::string read_file(std::string const& name) {
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
};

struct corpus {
    std::array<sample, 5> packets;
    std::array<std::string, 2> attachments; // of the fifth
    std::array<body, 2> bodies;

    corpus() {
        for (std::size_t i = 0; i != packets.size(); ++i) {
            std::string const name{'P', static_cast<char>('1' + i)};
            packets[i] = {name, read_file(name + ".txt")};
        }
        attachments = {read_file("P5.bin0"), read_file("P5.bin1")};
        bodies = {body{"P6", read_file("P6.txt")}, body{"P7", read_file("P7.txt")}};
    }
};

//=== the packets as C++ values ===//

struct person {
    std::int64_t id;
    std::string name;
    std::vector<std::string> tags;
    bool ok;
    std::array<double, 2> pos;

    friend void write_json(json::writer& out, person const& p) {
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

    friend void write_json(json::writer& out, chat_line const& l) {
        out.begin_object().member("id", l.id).key("from").begin_object();
        out.member("uid", l.uid).member("nick", l.nick).end_object();
        out.member("text", l.text).member("ts", l.ts).member("read", l.read).end_object();
    }
};

struct history {
    std::string room;
    std::vector<chat_line> msgs;

    friend void write_json(json::writer& out, history const& h) {
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

    friend void write_json(json::writer& out, post const& p) {
        out.begin_object().member("id", p.id).member("user", p.user).member("text", p.text);
        out.member("ts", p.ts).member("pos", p.pos).member("read", p.read);
        if (p.reply) out.member("reply", *p.reply);
        out.end_object();
    }
};

template <class T>
T member(json::text object, std::string_view name) {
    return checked(object.find(name).value_or(json::text()).get<T>(), std::string(name));
}

json::text first_argument(sample const& s) {
    auto const p = checked(socketio::decode(s.packet()), s.name);
    return (*socketio::arguments(p).begin()).json();
}

history read_history(sample const& s) {
    auto const argument = first_argument(s);
    history h{member<std::string>(argument, "room"), {}};
    for (auto const line : member<json::text>(argument, "msgs").elements()) {
        auto const from = member<json::text>(line, "from");
        h.msgs.push_back({member<std::int64_t>(line, "id"), member<std::int64_t>(from, "uid"),
                          member<std::string>(from, "nick"), member<std::string>(line, "text"),
                          member<std::int64_t>(line, "ts"), member<bool>(line, "read")});
    }
    return h;
}

std::vector<post> read_posts(sample const& s) {
    std::vector<post> posts;
    for (auto const p : first_argument(s).elements()) {
        post read;
        read.id = member<std::int64_t>(p, "id");
        read.user = member<std::string>(p, "user");
        read.text = member<std::string>(p, "text");
        read.ts = member<std::int64_t>(p, "ts");
        read.read = member<bool>(p, "read");
        auto const pos = member<json::text>(p, "pos").elements();
        std::ranges::transform(pos, read.pos.begin(), [](json::text n) { return checked(n.get<double>(), "pos"); });
        if (auto const reply = p.find("reply"))
            read.reply = checked(reply->get<std::optional<std::int64_t>>(), "reply");
        posts.push_back(std::move(read));
    }
    return posts;
}

//=== what is measured ===//

// What an encoder writes into, kept from one packet to the next as a connection would.
struct output {
    std::string text;
    attachment_list attachments;
};

struct values {
    person ada{123, "Ada", {"a", "b"}, true, {1.5, -2.25}};
    history chat;
    std::vector<post> posts;

    explicit values(corpus const& c) : chat(read_history(c.packets[2])), posts(read_posts(c.packets[3])) {}
};

// The packet with the index `i` from C++ values.
result<std::size_t> encode(std::size_t i, output& out, values const& v, corpus const& c) {
    out.text.clear();
    switch (i) {
    case 0: return socketio::encode_event(out.text, {}, "message", "hello world");
    case 1: return socketio::encode_event(out.text, {.nsp = "/admin", .id = 17}, "update", v.ada);
    case 2: return socketio::encode_event(out.text, {}, "history", v.chat);
    case 3: return socketio::encode_event(out.text, {}, "sync", v.posts);
    default:
        return socketio::encode_event(out.text, out.attachments, {}, "img", as_bytes(c.attachments[0]),
                                      json::object("meta", "x"), as_bytes(c.attachments[1]));
    }
}

// The packet and its attachments; how many of the three messages completed it.
std::size_t assemble(socketio::assembler& a, corpus const& c) {
    std::size_t complete = 0;
    std::string_view const messages[] = {c.packets[4].packet(), c.attachments[0], c.attachments[1]};
    for (auto const& message : messages) {
        auto const m = a.push({&message == messages ? frame_kind::text : frame_kind::binary, message});
        if (m && *m) complete += 1 + (*m)->attachments.size();
    }
    return complete;
}

// How many packets the reader finds; 0 where one is wrong.
std::size_t count_packets(engineio::payload_reader reader) {
    std::size_t packets = 0;
    while (auto const p = reader.next()) {
        if (!*p) return 0;
        benchmark::DoNotOptimize(*p);
        ++packets;
    }
    return packets;
}

struct owned_packet {
    frame_kind kind;
    std::string data;
};

std::vector<owned_packet> read_packets(body const& b) {
    std::vector<owned_packet> packets;
    std::string buffer(b.bytes.size(), '\0');
    engineio::payload_reader reader(b.bytes, buffer);
    while (auto const p = reader.next()) {
        auto const packet = checked(*p, b.name);
        packets.push_back({packet.kind, std::string(packet.data)});
    }
    return packets;
}

bool write_packets(std::string& out, std::vector<owned_packet> const& packets) {
    out.clear();
    engineio::payload_writer writer(out, static_cast<std::size_t>(-1));
    bool good = true;
    for (owned_packet const& p : packets) {
        auto const pushed = writer.push({engineio::packet_type::message, p.kind, p.data});
        good = good && pushed && *pushed;
    }
    return good;
}

// RapidJSON at its best for this work: SAX, so that it builds nothing, its reader and so its memory kept, no
// copy of the input, UTF-8 validated because decode does so.
template <unsigned Flags>
class rapidjson_parser {
public:
    bool parse(std::string_view json) {
        rapidjson::MemoryStream stream(json.data(), json.size());
        nothing handler;
        return !reader_.Parse<flags>(stream, handler).IsError();
    }

private:
    static constexpr unsigned flags = Flags | rapidjson::kParseValidateEncodingFlag;

    struct nothing : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, nothing> {};

    rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>> reader_;
};

using rapidjson_recursive = rapidjson_parser<rapidjson::kParseNoFlags>;
using rapidjson_iterative = rapidjson_parser<rapidjson::kParseIterativeFlag>;

void check(corpus const& c, values const& v) {
    rapidjson_recursive recursive;
    rapidjson_iterative iterative;
    output out;
    for (std::size_t i = 0; i != c.packets.size(); ++i) {
        sample const& s = c.packets[i];
        auto const frame_packet = checked(engineio::decode({frame_kind::text, s.frame}), s.name);
        require(frame_packet.type == engineio::packet_type::message, s.name + " is not a message");
        auto const packet = checked(socketio::decode(s.packet()), s.name);
        auto const header = checked(socketio::decode_header(s.packet()), s.name);
        require(packet.nsp == header.nsp && packet.id == header.id, s.name + " has two headers");
        checked(encode(i, out, v, c), s.name);
        require(out.text == s.packet(), s.name + " is not encoded to itself, but to " + out.text.substr(0, 300));
        out.text.clear();
        checked(socketio::encode(out.text, packet), s.name);
        require(out.text == s.packet(), s.name + " decoded is not encoded to itself");
        checked(json::validate(s.json()), s.name);
        require(recursive.parse(s.json()) && iterative.parse(s.json()), s.name + " is refused by RapidJSON");
    }
    socketio::assembler assembler;
    require(assemble(assembler, c) == 3, "P5 is not put together");
    for (body const& b : c.bodies) {
        auto const packets = read_packets(b);
        require(packets.size() > 1 && write_packets(out.text, packets), b.name + " is not written");
        require(out.text == b.bytes, b.name + " is not written to itself");
        auto copy = b.bytes;
        require(count_packets(engineio::payload_reader(copy)) == packets.size(), b.name + " differs in place");
    }
}

//=== Google Benchmark ===//

// Measures `work() -> bool`, which stands for `bytes` of input or output each time.
template <class Work>
void measure(std::string const& name, std::size_t bytes, Work work) {
    benchmark::RegisterBenchmark(name.c_str(), [bytes, work](benchmark::State& state) mutable {
        bool good = true;
        for (auto _ : state) good = work() && good;
        if (!good) state.SkipWithError("failed");
        state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
    });
}

template <class T>
bool keep(result<T> const& r) {
    benchmark::DoNotOptimize(r);
    return r.has_value();
}

void measure_packet(std::size_t i, corpus const& c, values const& v) {
    sample const& s = c.packets[i];
    std::size_t const size = s.packet().size();
    measure("engineio_decode/" + s.name, s.frame.size(), [&s] {
        return keep(engineio::decode({frame_kind::text, s.frame}));
    });
    measure("decode/" + s.name, size, [&s] { return keep(socketio::decode(s.packet())); });
    measure("decode_header/" + s.name, size - s.json().size(),
            [&s] { return keep(socketio::decode_header(s.packet())); });
    measure("encode/" + s.name, size, [i, &c, &v, out = output()]() mutable { return keep(encode(i, out, v, c)); });
    auto const packet = checked(socketio::decode(s.packet()), s.name);
    measure("encode_packet/" + s.name, size, [packet, text = std::string()]() mutable {
        text.clear();
        return keep(socketio::encode(text, packet));
    });
    auto const json = s.json();
    measure("validate/" + s.name, json.size(), [json] { return keep(json::validate(json)); });
    // Benchmarks are copied, readers are not.
    static rapidjson_recursive recursive;
    static rapidjson_iterative iterative;
    measure("rapidjson/" + s.name, json.size(), [json] { return recursive.parse(json); });
    measure("rapidjson_iterative/" + s.name, json.size(), [json] { return iterative.parse(json); });
}

void measure_body(body const& b) {
    std::string buffer(b.bytes.size(), '\0');
    measure("payload_read/" + b.name, b.bytes.size(),
            [&b, buffer]() mutable { return count_packets(engineio::payload_reader(b.bytes, buffer)) != 0; });
    // In place a body can be read once only: its copy is a part of this, and alone below.
    measure("payload_read_in_place/" + b.name, b.bytes.size(), [&b, buffer]() mutable {
        std::memcpy(buffer.data(), b.bytes.data(), b.bytes.size());
        return count_packets(engineio::payload_reader(buffer)) != 0;
    });
    measure("memcpy/" + b.name, b.bytes.size(), [&b, buffer]() mutable {
        std::memcpy(buffer.data(), b.bytes.data(), b.bytes.size());
        benchmark::DoNotOptimize(buffer.data());
        benchmark::ClobberMemory();
        return true;
    });
    measure("payload_write/" + b.name, b.bytes.size(),
            [packets = read_packets(b), out = std::string()]() mutable { return write_packets(out, packets); });
}

//=== the ratio ===//

// Nanoseconds that one of many calls of `work` took. All together are short beside a scheduler's time slice: most
// rounds run undisturbed even where the machine is busy.
template <class Work>
double time_of(Work work) {
    constexpr int calls = 2'000;
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i != calls; ++i) {
        bool good = work();
        benchmark::DoNotOptimize(good);
    }
    std::chrono::duration<double, std::nano> const took = std::chrono::steady_clock::now() - start;
    return took.count() / calls;
}

double median(std::vector<double> v) {
    auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::ranges::nth_element(v, middle);
    return *middle;
}

// All of P2 through decode against its JSON alone through RapidJSON. The rounds are interleaved, so that whatever
// else the machine does meets all alike.
void print_ratio(corpus const& c) {
    sample const& s = c.packets[1];
    auto const json = s.json();
    rapidjson_recursive recursive;
    rapidjson_iterative iterative;
    std::vector<double> decode;
    std::vector<double> rapidjson[2];
    for (int round = 0; round != 1'001; ++round) {
        decode.push_back(time_of([&] { return keep(socketio::decode(s.packet())); }));
        rapidjson[0].push_back(time_of([&] { return recursive.parse(json); }));
        rapidjson[1].push_back(time_of([&] { return iterative.parse(json); }));
    }
    double const best = std::min(median(rapidjson[0]), median(rapidjson[1]));
    std::printf("P2, median of %zu interleaved rounds\n"
                "  socketio::decode, the whole packet   %7.1f ns\n"
                "  RapidJSON, its JSON                  %7.1f ns\n"
                "  RapidJSON, its JSON, iterative       %7.1f ns\n"
                "  decode takes %.2f of the time of the faster one: %.2f times as fast\n",
                decode.size(), median(decode), median(rapidjson[0]), median(rapidjson[1]), median(decode) / best,
                best / median(decode));
}

} // namespace

int main(int argc, char** argv) {
    corpus const c;
    values const v(c);
    check(c, v);
    if (argc == 2 && std::string_view(argv[1]) == "--ratio") {
        print_ratio(c);
        return 0;
    }
    for (std::size_t i = 0; i != c.packets.size(); ++i) measure_packet(i, c, v);
    measure("assemble/P5", c.packets[4].packet().size() + c.attachments[0].size() + c.attachments[1].size(),
            [&c, a = socketio::assembler()]() mutable { return assemble(a, c) == 3; });
    for (body const& b : c.bodies) measure_body(b);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
