// codec_bench: how fast the codecs are on the packets of bench/corpus, and a fast JSON parser beside them.
//
//     codec_bench --benchmark_filter=P2            one packet
//     codec_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
//                 --benchmark_report_aggregates_only=true
//     codec_bench --ratio                          decode against RapidJSON on P2: medians of interleaved rounds
//
// Every input is decoded, encoded and compared once before any measurement.

#include "corpus.hpp"

#include <socketless/socketless.hpp>

#include <benchmark/benchmark.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace bench;

//=== what is measured ===//

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

// How many packets the reader finds; 0 if a packet is wrong.
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

// Measures `work() -> bool`; each call reads or writes `bytes`.
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
    // Google Benchmark copies its functions; a reader cannot be copied.
    static rapidjson_recursive recursive;
    static rapidjson_iterative iterative;
    measure("rapidjson/" + s.name, json.size(), [json] { return recursive.parse(json); });
    measure("rapidjson_iterative/" + s.name, json.size(), [json] { return iterative.parse(json); });
}

void measure_body(body const& b) {
    std::string buffer(b.bytes.size(), '\0');
    measure("payload_read/" + b.name, b.bytes.size(),
            [&b, buffer]() mutable { return count_packets(engineio::payload_reader(b.bytes, buffer)) != 0; });
    // Reading in place spoils the body, so this copies it each time; below, the copy alone is measured.
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

// All of P2 through decode against its JSON alone through RapidJSON. The rounds are interleaved, so that other load on
// the machine slows all alike.
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
