// make_seeds: turns the test vectors and captures into seeds, a directory for each fuzz target. Frames of WebSocket,
// which they do not have, are made here.
//
//     make_seeds tests/data build/fuzz/seeds
//     json_fuzz build/fuzz/corpus/json_fuzz build/fuzz/seeds/json_fuzz

#include "tools/hex.hpp"
#include "tools/websocket.hpp"

#include <socketless/socketless.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using namespace std::string_literals;

class seeds {
public:
    explicit seeds(std::filesystem::path directory) : directory_(std::move(directory)) {
        std::filesystem::create_directories(directory_);
    }

    void add(std::string const& seed) {
        if (!written_.insert(seed).second) return;
        std::ofstream file(directory_ / std::to_string(written_.size()), std::ios::binary);
        file << seed;
    }

    [[nodiscard]] std::size_t size() const noexcept { return written_.size(); }
    [[nodiscard]] std::string name() const { return directory_.filename().string(); }

private:
    std::filesystem::path directory_;
    std::set<std::string> written_;
};

// The seeds of each target, in directories of their names.
struct corpora {
    explicit corpora(std::filesystem::path const& d)
        : json(d / "json_fuzz"), msgpack(d / "msgpack_fuzz"), engineio(d / "engineio_fuzz"),
          socketio(d / "socketio_fuzz"), stack(d / "stack_fuzz"), websocket(d / "websocket_fuzz"),
          http(d / "http_fuzz"), wire(d / "wire_fuzz"), wire_client(d / "wire_client_fuzz"),
          kernels(d / "kernels_fuzz"), cluster(d / "cluster_fuzz") {}

    [[nodiscard]] std::array<seeds const*, 11> all() const {
        return {&json, &msgpack, &engineio,    &socketio, &stack,  &websocket,
                &http, &wire,    &wire_client, &kernels,  &cluster};
    }

    seeds json;
    seeds msgpack;
    seeds engineio;
    seeds socketio;
    seeds stack;
    seeds websocket;
    seeds http;
    seeds wire;
    seeds wire_client;
    seeds kernels;
    seeds cluster;
};

struct item {
    frame_kind kind;
    std::string data;
};

// The frames of a vector: "t:<hex>" and "b:<hex>".
std::vector<item> read_items(json::text line, std::string_view member) {
    std::vector<item> items;
    for (auto const element : line.find(member).value_or(json::text()).elements()) {
        auto const text = element.get<std::string>().value_or("");
        auto data = text.size() < 2 ? std::nullopt : support::from_hex(std::string_view(text).substr(2));
        if (data) items.push_back({text.front() == 't' ? frame_kind::text : frame_kind::binary, std::move(*data)});
    }
    return items;
}

// The first byte, by which engineio_fuzz knows the form.
char engineio_choice(std::string_view vectors, frame_kind kind) {
    bool const text = kind == frame_kind::text;
    bool const v4 = vectors.find("-v4-") != std::string_view::npos;
    if (vectors.find("payload") != std::string_view::npos) return v4 ? '\4' : text ? '\5' : '\6';
    return static_cast<char>((v4 ? 0 : 2) + (text ? 0 : 1));
}

void add_engineio(seeds& out, std::string_view vectors, std::vector<item> const& items) {
    if (vectors == "engineio-stream") {
        // A limit that no frame reaches, and two sizes of chunks.
        std::string seed = "\7\23\2\1\37";
        for (item const& i : items) seed += i.data;
        return out.add(seed);
    }
    for (item const& i : items) out.add(engineio_choice(vectors, i.kind) + i.data);
}

// The messages of a packet, as socketio_fuzz splits them.
void add_socketio(corpora& out, std::string_view vectors, std::vector<item> const& items) {
    std::string seed(1, vectors.find("-v4-") != std::string_view::npos ? '\1' : '\0');
    for (item const& i : items) {
        if (seed.size() != 1) seed += '\xff';
        if (i.kind == frame_kind::binary) seed += '\xfe';
        seed += i.data;
        if (auto const h = socketio::decode_header(i.data); h && !h->payload.empty())
            out.json.add(std::string(h->payload));
    }
    out.socketio.add(seed);
}

// A message of the MessagePack parser, as msgpack_fuzz and socketio_fuzz know it.
void add_msgpack(corpora& out, std::string const& message) {
    out.msgpack.add(message);
    out.socketio.add('\4' + message);
}

void add_vector(corpora& out, std::string_view vectors, json::text line) {
    for (auto const member : {"in", "out"}) {
        auto const items = read_items(line, member);
        if (items.empty()) continue;
        if (vectors.starts_with("engineio"))
            add_engineio(out.engineio, vectors, items);
        else if (vectors.find("msgpack") == std::string_view::npos)
            add_socketio(out, vectors, items);
        else if (items.front().kind == frame_kind::binary)
            add_msgpack(out, items.front().data);
    }
}

void add_happening(corpora& out, json::text line) {
    out.json.add(std::string(line.raw()));
    if (auto const target = line.find("target")) out.engineio.add('\11' + target->get<std::string>().value_or(""));
    auto const text = line.find("text");
    auto const message = text ? text->get<std::string>().value_or("") : "";
    if (message.starts_with("0{")) out.engineio.add('\10' + message.substr(1));
    if (message.starts_with('4')) out.socketio.add('\0' + message.substr(1));
    auto const binary = line.find("binary");
    auto const bytes = binary ? support::from_hex(binary->get<std::string>().value_or("")).value_or("") : "";
    if (socketio::decode_msgpack(bytes)) add_msgpack(out, bytes);
}

// What was published on Redis, as cluster_fuzz knows it.
void add_published(seeds& out, json::text line) {
    auto const kind = line.find("kind").value_or(json::text());
    char const choice = kind.equals("broadcast") ? '\0' : kind.equals("request") ? '\1' : '\2';
    auto const hex = line.find("message_hex").value_or(json::text()).get<std::string>().value_or("");
    if (auto const bytes = support::from_hex(hex); bytes && !bytes->empty()) out.add(choice + *bytes);
}

// An entry of a stream, or a session.
void add_streamed(seeds& out, json::text line) {
    if (auto const value = line.find("value")) return out.add('\6' + value->get<std::string>().value_or(""));
    std::string last; // the field `data`
    for (auto const word : line.find("fields").value_or(json::text()).elements())
        last = word.get<std::string>().value_or("");
    out.add('\4' + last);
}

// A step of stack_fuzz that takes a text: the step, a length in one byte and the characters.
std::string step(char which, std::string_view text) {
    std::string all(1, which);
    all += static_cast<char>(static_cast<unsigned char>(text.size()));
    all += text;
    return all;
}

// The messages of one side of a recorded session, as programs of stack_fuzz for the other: its session, and a whole
// server.
class stack_programs {
public:
    void add(json::text line) {
        auto const from = line.find("from");
        auto const happening = line.find("happening");
        if (!from || !happening || !happening->equals("websocket_message")) return add_body(line);
        bool const to_server = from->equals("client");
        if (auto const text = line.find("text")) {
            auto const message = text->get<std::string>().value_or("");
            if (message.size() > longest) return;
            if (to_server) server_ += step('\0', message) + '\0';
            if (message.starts_with('4')) (to_server ? server_session_ : client_) += step('\0', message.substr(1));
        } else if (auto const hex = line.find("binary")) {
            auto const bytes = support::from_hex(hex->get<std::string>().value_or("")).value_or("").substr(0, longest);
            if (to_server) server_ += step('\1', bytes) + '\0';
            (to_server ? server_session_ : client_) += step('\1', bytes);
        }
    }

    void write(seeds& out) const {
        // The first byte: which machine, and for a whole server whether it recovers.
        out.add('\0' + server_session_);
        out.add('\1' + std::string("\6\0\0\0\6\0\0\1\5\0", 10) + client_);
        for (char const choice : {'\2', '\5'}) {
            out.add(choice + std::string("\3\5\0", 3) + server_);
            out.add(choice + std::string("\4\377\0\0", 4) + polling_);
        }
    }

private:
    static constexpr std::size_t longest = 255;

    void add_body(json::text line) {
        auto const method = line.find("method");
        if (!method) return;
        if (method->equals("GET")) polling_ += std::string("\7\0", 2);
        auto const body = line.find("text");
        if (!method->equals("POST") || !body) return;
        auto const text = body->get<std::string>().value_or("");
        if (text.size() <= longest) polling_ += step('\5', text) + '\0';
    }

    std::string server_session_;
    std::string client_;
    std::string server_;
    std::string polling_;
};

// Inputs that no well-meaning peer sends.
void add_odd(corpora& out) {
    for (int code = 0; code != 6; ++code)
        out.engineio.add('\12' + std::string(body(static_cast<engineio::request_error>(code))));
    for (std::string const object : {
             R"({"_placeholder":true,"num":0,"_placeholder":false})",
             R"({"_placeholder":false,"num":0,"_placeholder":true})",
             R"({"num":7,"_placeholder":true,"num":0})",
             R"({"\u005fplaceholder":true,"n\u0075m":0,"more":[{}]})",
             R"({"_placeholder":[{"_placeholder":true,"num":0}],"num":0})",
             R"([{"a":[{"num":0 , "_placeholder" : true}, {"_placeholder":true,"num":0}]}])",
         }) {
        out.json.add(object);
        std::string const options(1, '\0');
        out.socketio.add(options + "51-[\"a\"," + object + "]\xff\xfe\1\2\3");
        out.socketio.add(options + "61-/a,1[" + object + "]\xff\xfe");
    }
}

// Streams for a reader of each role, as websocket_fuzz reads them: good ones, and one for each error.
void add_streams(seeds& out, websocket::role r) {
    using enum websocket::opcode;
    using support::frames;
    // The role; limits that few streams reach, or that most reach; two sizes of chunks.
    std::string const role(1, r == websocket::role::client ? '\0' : '\1');
    std::string const large = role + "\xff\xff\2\1\37";
    std::string const small = role + "\1\2\0"s;
    for (frames const& f : {
             frames(r).text("Hello").binary("\xff\xfe").ping("p").pong("").text("").close(1000, "bye"),
             frames(r).part(text, "caf\xc3").ping("within").part(continuation, "").add(continuation, "\xa9"),
             frames(r).part(binary, "").pong("q").add(continuation, "b").text(std::string(126, 't')),
             frames(r).part(binary, std::string(200, '1')).add(continuation, std::string(130, '2')).close(""),
             frames(r).text("\xf0\x9f\x98\x80 \xed\xa0\x80"),
             frames(r).text("a").raw(0xc1, "x"),
             frames(r).text("a").raw(0x83, "x"),
             frames(r).bytes(frames(support::peer_of(r)).text("x").wire()),
             frames(r).part(ping, "x"),
             frames(r).add(ping, std::string(126, 'x')),
             frames(r).add(continuation, "x"),
             frames(r).part(text, "a").text("b"),
             frames(r).start(binary, 126, "\0\1"s),
             frames(r).start(binary, 127, "\x40\0\0\0\0\0\0\0"s),
             frames(r).start(binary, 127, "\xff\xff\xff\xff\xff\xff\xff\xff"),
             frames(r).close("x"),
             frames(r).close(1005),
             frames(r).close(1000, "\xff"),
         }) {
        out.add(large + f.wire());
        out.add(small + f.wire());
    }
}

void add_websocket(seeds& out) {
    add_streams(out, websocket::role::client);
    add_streams(out, websocket::role::server);
    // Both ends write, close and receive.
    out.add("\2\0\0\3abc\1\4\377\1\1\2de\0\2\0bye\0\3\1\5\377"s);
    std::string const upgrade = "Upgrade: websocket\nConnection: keep-alive, Upgrade\n";
    out.add('\3' + upgrade + "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n" +
            "Sec-WebSocket-Protocol: chat, superchat\nSec-WebSocket-Protocol: ,other,");
    out.add('\6' + upgrade + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\nSec-WebSocket-Protocol: chat");
    out.add("\7\2\1\5ascii \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf");
}

// Messages, URLs and cookies as http_fuzz takes them: what it reads, the sizes of two chunks, then the bytes.
void add_http(seeds& out) {
    std::string const chunks = "\2\6\37";
    for (std::string const request : {
             "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a:80\r\nConnection: keep-alive\r\n\r\n",
             "POST http://a/b HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 5, 5\r\nExpect: 100-continue\r\n\r\nhello",
             "\r\nPUT / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n",
             "OPTIONS * HTTP/1.0\r\nConnection: close, upgrade\r\n\r\nCONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
         })
        for (char const choice : {'\5', '\205'}) out.add(choice + chunks + request);
    for (std::string const answer : {
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 204 \r\n\r\n",
             "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200\r\n\r\nend",
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\1a",
         })
        for (char const method : {'\0', '\1', '\2'}) out.add(std::string("\2") + method + chunks + answer);
    out.add('\0' + std::string("wss://u:p@[::1]:8080/a?b=c#d"));
    out.add('\0' + std::string("example.org:3000/a"));
    out.add("\1a=b; Path=/; Max-Age=10; HttpOnly\nc=d; Expires=Thu, 01 Jan 1970 00:00:00 GMT\ne=f; Secure");
}

// Steps of wire_fuzz: how many sizes of pieces and which; then what happens, on which connection, and its arguments.
void add_wire(seeds& out) {
    std::string const pieces = "\2\1\11";
    std::string const open = pieces + "\0\0\2\0\0"s;             // a handshake by long-polling
    std::string const websocket = pieces + "\0\0\2\0\5"s;        // over WebSocket
    out.add(open + "\2\0\1\0\1\2\1\2\12\0\5hello\2\0\7"s);       // a poll, a post beside it, a message
    out.add(open + "\2\0\1\0\1\2\1\6\3\1\0\2\0\1\3\1\1\3\1\4"s); // an upgrade
    out.add(open + "\2\0\3\2\0\4\2\0\10\2\0\7\13\0\1\5\0"s);     // a body in chunks, a preflight, a page
    out.add(websocket + "\3\0\4\4\0\11\2pi\7\0\12\0\5hello\10\0\4\0\10\2\3\350"s); // a ping, a pause, a close frame
    out.add(websocket + "\3\0\4\13\0\0\3\0\4\5\0"s);                               // the application closes
    out.add(open + "\2\0\1\11\0\310\5\0\13\0\377\2\0\0"s);                         // time passes, the server closes
}

// Steps of wire_client_fuzz: the client's options, the sizes of pieces; then what happens, where, and its arguments.
void add_wire_client(seeds& out) {
    std::string const pieces = "\2\1\11";
    std::string const open = "\0\0\0"s;                           // opens the session, its connection is there
    std::string const polling = '\4' + pieces + open + "\3\0\6"s; // an Engine.IO handshake in an answer
    std::string const agreed = open + "\4\0\5\0\0"s;              // the same over WebSocket
    out.add(polling + "\12\5hello\1\0\3\0\1\3\1\3"s);             // a message, an answer to its post and to the poll
    out.add(polling + "\1\0\4\0\5\0\1\3\1\3\11\1\5\0\3"s);        // the upgrade: agreed, probed, the poll ends
    out.add(polling + "\3\1\2\1\0\3\0\5\7\1\10\0"s);              // an answer and more, a refusal, two ends
    out.add("\4" + pieces + open + "\3\0\4\3\0\5"s);              // an answer that is none, then a refusal
    out.add("\2" + pieces + agreed + "\5\0\3\6\0\11\2pi\6\0\10\2\3\350"s); // a message, a ping, a close frame
    out.add("\2" + pieces + agreed + "\43\0\12\3abc\11\310\43\0\13"s);     // a pause, time passes, the end
    out.add("\1" + pieces + agreed + "\2\0\4\x81\1\x34\x81\7\0"s);         // frames in pieces
    out.add("\6" + pieces + open + "\3\0\0\3\0\6\10\0"s);                  // by way of a proxy
    out.add("\3" + pieces + open + "\3\0\0\3\0\3"s);                       // the proxy's tunnel for TLS
}

// Texts as kernels_fuzz takes them, long enough for all kernels: how they lie, a key, and one fault in some.
void add_kernels(seeds& out) {
    for (std::string const part :
         {"plain text ", "caf\xc3\xa9 \xd0\x96", "\xe2\x82\xac\xed\x9f\xbf", "\xf0\x9f\x98\x80", "Zm9v+/09"}) {
        std::string text = "\3\1\2\3\4";
        while (text.size() < 300) text += part;
        out.add(text);
        for (char const fault : "\"\\\n\x80\xc3\xf4="s) out.add(text.substr(0, 200) + fault + text.substr(200));
    }
}

// Calls `add(line)` for each line of each .jsonl file in `directory`.
template <class Add>
bool read_lines(std::filesystem::path const& directory, Add const& add) {
    if (!std::filesystem::is_directory(directory)) return false;
    for (auto const& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() != ".jsonl") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        for (std::string text; std::getline(file, text);)
            if (auto const line = json::validate(text)) add(entry.path().stem().string(), *line);
    }
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: make_seeds TEST-DATA DIRECTORY\n";
        return 2;
    }
    std::filesystem::path const data = argv[1];
    std::filesystem::path const directory = argv[2];
    corpora out(directory);
    std::map<std::string, stack_programs> programs;
    bool const read =
        read_lines(data / "vectors",
                   [&out](std::string const& vectors, json::text line) { add_vector(out, vectors, line); }) &&
        read_lines(data / "captures",
                   [&](std::string const& capture, json::text line) {
                       add_happening(out, line);
                       programs[capture].add(line);
                   }) &&
        read_lines(data / "cluster", [&out](std::string const& file, json::text line) {
            if (file.starts_with("redis-pubsub")) add_published(out.cluster, line);
            if (file.starts_with("redis-streams")) add_streamed(out.cluster, line);
            if (file.starts_with("messages"))
                if (auto const bytes =
                        support::from_hex(line.find("hex").value_or(json::text()).get<std::string>().value_or("")))
                    out.cluster.add('\5' + *bytes);
        });
    if (!read) {
        std::cerr << "make_seeds: " << data << " has no vectors or no captures\n";
        return 1;
    }
    add_odd(out);
    add_websocket(out.websocket);
    add_http(out.http);
    add_wire(out.wire);
    add_wire_client(out.wire_client);
    add_kernels(out.kernels);
    for (auto const& [capture, program] : programs) program.write(out.stack);
    for (seeds const* s : out.all()) std::cout << s->size() << " seeds for " << s->name() << '\n';
    return 0;
}
