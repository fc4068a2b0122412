// The commands of siocat, and their two forms: a line of JSON from a program, a typed line from a person.
#pragma once

#include "values.hpp"

#include <socketless/core/error.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace siocat {

enum class operation { connect, emit, reply, disconnect, close, use, help };

/// Borrowed from its line.
struct command {
    siocat::operation operation = operation::emit;
    /// The namespace; empty if the command does not say it.
    std::string nsp = {};
    /// connect: an object, or nothing.
    json::text auth = {};
    std::string event = {};
    given_arguments args = {};
    bool wants_ack = false;
    bool is_volatile = false;
    std::optional<milliseconds> timeout = std::nullopt;
    /// emit: the name of the acknowledgement: any JSON.
    json::text id = json::text::trusted("null");
    /// reply: the token of the event that it acknowledges.
    std::string token = {};
};

/// A command as an object of JSON: see the usage.
class json_commands {
public:
    static command read(std::string_view line) {
        auto const read = json::validate(line);
        if (!read) throw bad_input(in_words(read.error()));
        auto const json = *read;
        command c;
        c.operation = operation_named(member<std::string>(json, "op").value_or(""));
        c.nsp = member<std::string>(json, "nsp").value_or("/");
        if (auto const auth = json.find("auth"); auth && !auth->is(json::kind::null)) c.auth = *auth;
        c.event = member<std::string>(json, "event").value_or("");
        if (auto const args = json.find("args")) c.args = given_arguments(*args);
        c.wants_ack = member<bool>(json, "ack").value_or(false);
        c.is_volatile = member<bool>(json, "volatile").value_or(false);
        if (auto const timeout = member<std::uint32_t>(json, "timeout")) c.timeout = milliseconds(*timeout);
        c.id = json.find("id").value_or(c.id);
        c.token = member<std::string>(json, "token").value_or("");
        if (c.operation == operation::emit && !json.find("event")) throw bad_input("no \"event\" to emit");
        return c;
    }

private:
    static std::string in_words(error e) {
        return std::string(message(e.code)) + ", at byte " + std::to_string(e.offset);
    }

    static operation operation_named(std::string_view name) {
        if (name == "connect") return operation::connect;
        if (name == "emit") return operation::emit;
        if (name == "reply") return operation::reply;
        if (name == "disconnect") return operation::disconnect;
        if (name == "close") return operation::close;
        throw bad_input("\"op\" is none of connect, emit, reply, disconnect, close");
    }

    // A member of the object; nothing if it is null or missing.
    template <class T>
    static std::optional<T> member(json::text object, std::string_view name) {
        auto const found = object.find(name);
        if (!found) return std::nullopt;
        auto const value = found->get<std::optional<T>>();
        if (!value) throw bad_input('"' + std::string(name) + "\": " + std::string(message(value.error().code)));
        return *value;
    }
};

/// A command as people type it: see `help`.
class typed_commands {
public:
    static constexpr std::string_view help =
        R"(event JSON...           emits an event; text is "quoted", bytes are {"$binary":"hex"}
/ack event JSON...      emits it and asks for an acknowledgement, within 10 s
/reply TOKEN JSON...    acknowledges an event that was shown with this token
/connect NSP [AUTH]     joins a namespace; what is typed goes there from now on
/use NSP                what is typed goes there from now on
/disconnect [NSP]       leaves a namespace
/quit                   closes the connection in good order, as the end of the input does)";

    /// The command lives as long as the line, and until the next one is read.
    command read(std::string_view line) {
        rest_ = line;
        command c;
        auto const first = next_word();
        if (!first.starts_with('/')) {
            read_event(c, first);
        } else if (first == "/ack") {
            c.wants_ack = true;
            c.timeout = milliseconds(10'000);
            id_ = std::to_string(++last_id_);
            c.id = json::text::trusted(id_);
            read_event(c, next_word());
        } else if (first == "/reply") {
            c.operation = operation::reply;
            c.token = next_word();
            c.args = read_arguments();
        } else {
            c.operation = operation_named(first);
            c.nsp = next_word();
            if (auto const auth = next_word(); !auth.empty()) c.auth = read_value(auth);
        }
        return c;
    }

private:
    static operation operation_named(std::string_view name) {
        if (name == "/connect") return operation::connect;
        if (name == "/use") return operation::use;
        if (name == "/disconnect") return operation::disconnect;
        if (name == "/quit") return operation::close;
        if (name == "/help") return operation::help;
        throw bad_input("no such command: " + std::string(name) + " (/help)");
    }

    void read_event(command& c, std::string_view name) {
        if (name.empty()) throw bad_input("no event to emit (/help)");
        auto const quoted = name.starts_with('"') ? read_value(name).get<std::string>() : std::string(name);
        if (!quoted) throw bad_input(std::string(message(quoted.error().code)));
        c.event = *quoted;
        c.args = read_arguments();
    }

    // The values up to the end of the line, as an array.
    given_arguments read_arguments() {
        array_ = "[";
        for (auto word = next_word(); !word.empty(); word = next_word()) {
            if (array_.size() > 1) array_ += ',';
            array_ += read_value(word).raw();
        }
        array_ += ']';
        return given_arguments(json::text::trusted(array_));
    }

    // The part before the next space that is not within quotes, brackets or braces.
    std::string_view next_word() {
        constexpr std::string_view space = " \t\r";
        rest_.remove_prefix(std::min(rest_.find_first_not_of(space), rest_.size()));
        bool is_quoted = false;
        int depth = 0;
        std::size_t i = 0;
        for (; i < rest_.size(); ++i) {
            char const c = rest_[i];
            if (is_quoted && c == '\\')
                ++i;
            else if (c == '"')
                is_quoted = !is_quoted;
            else if (!is_quoted && (c == '{' || c == '['))
                ++depth;
            else if (!is_quoted && (c == '}' || c == ']'))
                --depth;
            else if (!is_quoted && depth <= 0 && space.find(c) != std::string_view::npos)
                break;
        }
        auto const word = rest_.substr(0, i);
        rest_.remove_prefix(word.size());
        return word;
    }

    std::string_view rest_;
    std::string array_;
    std::string id_;
    std::uint64_t last_id_ = 0;
};

} // namespace siocat
