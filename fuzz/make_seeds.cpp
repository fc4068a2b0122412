// make_seeds: turns the test vectors and captures into seeds, a directory for each fuzz target.
//
//     make_seeds tests/data build/fuzz/seeds
//     json_fuzz build/fuzz/corpus/json_fuzz build/fuzz/seeds/json_fuzz

#include "tools/hex.hpp"

#include <socketless/socketless.hpp>

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

private:
    std::filesystem::path directory_;
    std::set<std::string> written_;
};

struct corpora {
    seeds json;
    seeds engineio;
    seeds socketio;
    seeds stack;
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

void add_vector(corpora& out, std::string_view vectors, json::text line) {
    for (auto const member : {"in", "out"}) {
        auto const items = read_items(line, member);
        if (items.empty()) continue;
        if (vectors.starts_with("engineio"))
            add_engineio(out.engineio, vectors, items);
        else if (vectors.find("msgpack") == std::string_view::npos)
            add_socketio(out, vectors, items);
    }
}

void add_happening(corpora& out, json::text line) {
    out.json.add(std::string(line.raw()));
    if (auto const target = line.find("target")) out.engineio.add('\11' + target->get<std::string>().value_or(""));
    auto const text = line.find("text");
    auto const message = text ? text->get<std::string>().value_or("") : "";
    if (message.starts_with("0{")) out.engineio.add('\10' + message.substr(1));
    if (message.starts_with('4')) out.socketio.add('\0' + message.substr(1));
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
    corpora out{seeds(directory / "json_fuzz"), seeds(directory / "engineio_fuzz"), seeds(directory / "socketio_fuzz"),
                seeds(directory / "stack_fuzz")};
    std::map<std::string, stack_programs> programs;
    bool const read = read_lines(data / "vectors", [&out](std::string const& vectors,
                                                          json::text line) { add_vector(out, vectors, line); }) &&
                      read_lines(data / "captures", [&](std::string const& capture, json::text line) {
                          add_happening(out, line);
                          programs[capture].add(line);
                      });
    if (!read) {
        std::cerr << "make_seeds: " << data << " has no vectors or no captures\n";
        return 1;
    }
    add_odd(out);
    for (auto const& [capture, program] : programs) program.write(out.stack);
    std::cout << out.json.size() << " seeds for json_fuzz, " << out.engineio.size() << " for engineio_fuzz, "
              << out.socketio.size() << " for socketio_fuzz, " << out.stack.size() << " for stack_fuzz\n";
    return 0;
}
