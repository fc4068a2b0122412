// The output of siocat: as lines of JSON for programs, or with time and colour for people.
#pragma once

#include "values.hpp"

#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/text/utf8.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace siocat {

class output {
public:
    output() = default;
    output(output const&) = delete;
    output& operator=(output const&) = delete;
    virtual ~output() = default;

    virtual void opened(std::string_view transport) = 0;
    virtual void upgraded(std::string_view transport) = 0;
    virtual void connected(std::string_view nsp, std::string_view sid, bool recovered) = 0;
    /// `message` and `data` are JSON, or nothing.
    virtual void connect_error(std::string_view nsp, json::text message, json::text data) = 0;
    /// `token` is empty if the event asks for no acknowledgement.
    virtual void event(socketio::event const& e, std::string_view token) = 0;
    virtual void ack(json::text id, socketio::event const& e) = 0;
    virtual void disconnected(std::string_view nsp, std::string_view reason) = 0;
    virtual void reconnect_attempt(std::uint64_t attempt) = 0;
    virtual void reconnect_failed() = 0;
    virtual void closed(std::string_view reason) = 0;
    virtual void error(std::string_view message) = 0;

protected:
    static void put_line(std::string& line) {
        line += '\n';
        if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0) return;
        if (errno == EPIPE) { // nobody reads any more: ends as other programs do
            std::signal(SIGPIPE, SIG_DFL);
            std::raise(SIGPIPE);
        }
        std::perror("siocat: cannot write");
        std::exit(1);
    }
};

class json_output final : public output {
public:
    void opened(std::string_view transport) override { tell("open", "transport", transport); }
    void upgraded(std::string_view transport) override { tell("upgrade", "transport", transport); }
    void connected(std::string_view nsp, std::string_view sid, bool recovered) override {
        tell("connect", "nsp", nsp, "sid", sid, "recovered", recovered);
    }
    void connect_error(std::string_view nsp, json::text message, json::text data) override {
        tell("connect_error", "nsp", nsp, "message", shown_json{message}, "data", shown_json{data});
    }
    void event(socketio::event const& e, std::string_view token) override {
        if (token.empty())
            tell("event", "nsp", e.nsp, "event", e.name().json(), "args", shown_arguments{e.args()});
        else
            tell("event", "nsp", e.nsp, "event", e.name().json(), "args", shown_arguments{e.args()}, "token", token);
    }
    void ack(json::text id, socketio::event const& e) override {
        switch (e.outcome) {
        case socketio::ack_outcome::answered: return tell("ack", "id", id, "args", shown_arguments{e.args()});
        case socketio::ack_outcome::timed_out: return tell("ack_timeout", "id", id);
        case socketio::ack_outcome::disconnected: return tell("ack_lost", "id", id);
        }
    }
    void disconnected(std::string_view nsp, std::string_view reason) override {
        tell("disconnect", "nsp", nsp, "reason", reason);
    }
    void reconnect_attempt(std::uint64_t attempt) override { tell("reconnect_attempt", "attempt", attempt); }
    void reconnect_failed() override { tell("reconnect_failed"); }
    void closed(std::string_view reason) override { tell("close", "reason", reason); }
    void error(std::string_view message) override { tell("error", "message", message); }

private:
    template <class... NamesAndValues>
    static void tell(std::string_view what, NamesAndValues const&... names_and_values) {
        std::string line;
        auto const written = json::write(line, json::object("on", what, names_and_values...));
        if (!written) line = R"({"on":"error","message":"this cannot be shown: it is not UTF-8"})";
        put_line(line);
    }
};

class human_output final : public output {
public:
    human_output() : has_colour_(isatty(STDOUT_FILENO) != 0 && !is_set("NO_COLOR")) {}

    void opened(std::string_view transport) override { note("open, over " + std::string(transport)); }
    void upgraded(std::string_view transport) override { note("moved to " + std::string(transport)); }
    void connected(std::string_view nsp, std::string_view sid, bool recovered) override {
        auto text = "connected to " + plain(nsp);
        if (!sid.empty()) text += " as " + plain(sid);
        if (recovered) text += ", nothing was missed";
        note(text);
    }
    void connect_error(std::string_view nsp, json::text message, json::text data) override {
        auto text = plain(nsp) + ": not connected: " + plain(message);
        if (!data.empty()) text += ' ' + in_one_line(data);
        tell(red, text);
    }
    void event(socketio::event const& e, std::string_view token) override {
        auto text = paint(cyan, plain(e.nsp)) + ' ' + paint(bold, plain(e.name().json())) + shown(e.args());
        if (!token.empty()) text += paint(yellow, "  (/reply " + std::string(token) + " answers)");
        tell(text);
    }
    void ack(json::text id, socketio::event const& e) override {
        auto const which = "ack " + std::string(id.raw());
        switch (e.outcome) {
        case socketio::ack_outcome::answered: return tell(paint(green, which) + shown(e.args()));
        case socketio::ack_outcome::timed_out: return tell(red, which + ": no answer in time");
        case socketio::ack_outcome::disconnected: return tell(red, which + ": disconnected before an answer");
        }
    }
    void disconnected(std::string_view nsp, std::string_view reason) override {
        tell(red, "disconnected from " + plain(nsp) + ": " + std::string(reason));
    }
    void reconnect_attempt(std::uint64_t attempt) override { note("trying again: " + std::to_string(attempt)); }
    void reconnect_failed() override { tell(red, "given up"); }
    void closed(std::string_view reason) override { note("closed: " + std::string(reason)); }
    void error(std::string_view message) override { tell(red, std::string(message)); }

private:
    static constexpr std::string_view bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36";
    static constexpr std::size_t shown_bytes = 16;

    static bool is_set(char const* variable) {
        char const* const value = std::getenv(variable);
        return value != nullptr && *value != '\0';
    }

    [[nodiscard]] std::string paint(std::string_view colour, std::string const& text) const {
        return has_colour_ ? "\x1b[" + std::string(colour) + 'm' + text + "\x1b[0m" : text;
    }
    void note(std::string const& text) const { tell(dim, text); }
    void tell(std::string_view colour, std::string const& text) const { tell(paint(colour, text)); }
    void tell(std::string const& text) const {
        std::time_t const now = std::time(nullptr);
        std::tm local{};
        localtime_r(&now, &local);
        char time[16];
        std::string const stamp(time, std::strftime(time, sizeof time, "%H:%M:%S", &local));
        auto line = paint(dim, stamp) + ' ' + harmless(text);
        put_line(line);
    }

    // JSON may contain characters that a terminal obeys: the controls from U+007F to U+009F, and those that end a line
    // or turn the direction of the text. They become escapes, which JSON allows too.
    static std::string harmless(std::string_view text) {
        std::string shown;
        while (!text.empty()) {
            auto const character = text.substr(0, std::max(utf8::sequence_length(text), std::size_t{1}));
            text.remove_prefix(character.size());
            auto const code = code_point(character);
            bool const is_obeyed = (code >= 0x7f && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) ||
                                   (code >= 0x2066 && code <= 0x2069);
            char escape[] = "\\uxxxx";
            if (is_obeyed) std::snprintf(escape, sizeof escape, "\\u%04x", code);
            shown += is_obeyed ? std::string_view(escape) : character;
        }
        return shown;
    }
    static unsigned code_point(std::string_view sequence) {
        auto const size = sequence.size();
        unsigned code = static_cast<unsigned char>(sequence.front());
        if (size > 1) code &= 0x7fu >> size; // the first byte says how many follow
        for (char const c : sequence.substr(1)) code = code << 6u | (static_cast<unsigned char>(c) & 0x3fu);
        return code;
    }

    // A string without its quotes, if it cannot be taken for something else.
    static std::string plain(json::text json) {
        if (!json.is(json::kind::string)) return in_one_line(json);
        auto const raw = json.raw();
        auto const inside = raw.substr(1, raw.size() - 2);
        bool const is_plain =
            !inside.empty() && std::ranges::all_of(inside, [](char c) { return c > ' ' && c < '\x7f'; });
        return std::string(is_plain && inside.find_first_of("\\") == std::string_view::npos ? inside : raw);
    }
    static std::string plain(std::string_view text) {
        std::string json;
        json::write(json, text).ignore();
        return plain(json::text::trusted(json));
    }

    static std::string in_one_line(json::text json) {
        std::string text;
        json::write(text, shown_json{json}).ignore();
        return text;
    }

    static std::string shown(socketio::arguments const& args) {
        std::string text;
        for (socketio::argument const a : args) {
            text += ' ';
            json::write(text, shown_argument(a, shown_bytes)).ignore();
        }
        return text;
    }

    bool has_colour_;
};

} // namespace siocat
