#include "tools/catch.hpp"

#include <socketless/json/sink.hpp>
#include <socketless/json/writer.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace json_sink_test {

using namespace socketless;

namespace {

// Tells its calls, one word each.
class teller final : public json::sink {
public:
    std::string told;

    void null() override { tell("null"); }
    void boolean(bool b) override { tell(b ? "true" : "false"); }
    void number(std::int64_t n) override { tell("i" + std::to_string(n)); }
    void number(std::uint64_t n) override { tell("u" + std::to_string(n)); }
    void number(double n) override {
        std::string digits;
        json::write(digits, n).ignore();
        tell("d" + (std::isfinite(n) ? digits : std::isnan(n) ? "nan" : n > 0 ? "inf" : "-inf"));
    }
    void string(std::string_view s) override { tell("'" + std::string(s) + "'"); }
    void key(std::string_view name) override { tell(std::string(name) + ":"); }
    void binary(byte_view bytes) override { tell("<" + std::string(as_characters(bytes)) + ">"); }
    void begin_array() override { tell("["); }
    void end_array() override { tell("]"); }
    void begin_object() override { tell("{"); }
    void end_object() override { tell("}"); }

private:
    void tell(std::string_view word) {
        if (!told.empty()) told += ' ';
        told += word;
    }
};

template <class T>
std::string told(T const& value) {
    teller t;
    json::writer w(t);
    w.value(value);
    CHECK(w.status().has_value());
    return t.told;
}

struct position {
    double x;
    std::int8_t floor;
    std::optional<std::string> label;
};

void write_json(json::writer& out, position const& p) {
    out.begin_object().member("x", p.x).member("floor", p.floor).member("label", p.label).member("ok", true);
    out.end_object();
}

std::string told_text(std::string_view json) {
    return told(json::text::trusted(json));
}

} // namespace

TEST_CASE("one write_json writes text and any other format", "[json]") {
    position const p{1.5, -3, "roof"};
    CHECK(told(p) == "{ x: d1.5 floor: i-3 label: 'roof' ok: true }");
    std::string text;
    CHECK(json::write(text, p).has_value());
    CHECK(text == R"({"x":1.5,"floor":-3,"label":"roof","ok":true})");
}

TEST_CASE("a sink is told each kind of value as it is", "[json]") {
    CHECK(told(nullptr) == "null");
    CHECK(told(std::vector<bool>{true, false}) == "[ true false ]");
    CHECK(told(std::vector<int>{}) == "[ ]");
    CHECK(told(std::numeric_limits<std::int64_t>::min()) == "i-9223372036854775808");
    CHECK(told(std::numeric_limits<std::uint64_t>::max()) == "u18446744073709551615");
    CHECK(told(std::numeric_limits<double>::quiet_NaN()) == "dnan");
    CHECK(told(-std::numeric_limits<double>::infinity()) == "d-inf");
    CHECK(told(std::string(100, 'x')) == "'" + std::string(100, 'x') + "'");
    CHECK(told("say \"hi\"\n") == "'say \"hi\"\n'");
    CHECK(told(as_bytes("abc")) == "<abc>");
    CHECK(told(std::map<std::string, std::variant<int, std::string>>{{"_placeholder", 1}, {"b", "c"}}) ==
          "{ _placeholder: i1 b: 'c' }");
    CHECK(told(json::object("a", json::object("b", std::vector{1, 2}))) == "{ a: { b: [ i1 i2 ] } }");
}

TEST_CASE("JSON that is already made goes to a sink as values", "[json]") {
    CHECK(told_text(R"({ "a" : [ 1 , -2, 2.5, 1e2, true, false, null ] , "" : { } , "s":"x" })") ==
          "{ a: [ i1 i-2 d2.5 d100 true false null ] : { } s: 'x' }");
    CHECK(told_text(R"("say \"hi\", \ud83d\ude00 and \ud83d")") == "'say \"hi\", \U0001f600 and \uFFFD'");
    CHECK(told_text(R"({"a\tb":"c,d:e]"})") == "{ a\tb: 'c,d:e]' }");
    CHECK(told_text("18446744073709551615") == "u18446744073709551615");
    CHECK(told_text("-9223372036854775808") == "i-9223372036854775808");
    CHECK(told_text("18446744073709551616") == "d18446744073709552000");
    CHECK(told_text("1e999") == "dinf");
    CHECK(told_text("") == "null");
    CHECK(told_text("[[],[[]]]") == "[ [ ] [ [ ] ] ]");
}

TEST_CASE("parts of JSON and binary values between them are one value", "[json]") {
    teller t;
    json::writer w(t);
    w.begin_array();
    w.begin_raw().raw_part(R"({"a":)").binary(as_bytes("one")).raw_part(R"(,"b":["x",)").binary(as_bytes("two"));
    w.raw_part("]}").end_raw();
    w.begin_object().raw_key(json::text::trusted(R"("k\n")")).value(1).end_object().value(2);
    w.end_array();
    CHECK(w.status().has_value());
    CHECK(t.told == "[ { a: <one> b: [ 'x' <two> ] } { k\n: i1 } i2 ]");
}

TEST_CASE("the limit of depth holds for a sink, JSON that is already made included", "[json]") {
    for (std::string_view const text : {"[[]]", "[[[]]]"}) {
        teller t;
        json::writer w(t, 2);
        w.raw(json::text::trusted(text));
        CHECK(w.status().has_value() == (text == "[[]]"));
    }
    teller t;
    json::writer w(t, 1);
    w.begin_array().begin_array().end_array().end_array();
    CHECK(w.status().error().code == errc::depth_exceeded);
}

TEST_CASE("text that is not JSON does not make a sink's writer hang or read past its end", "[json]") {
    for (std::string_view const text : {"\"", "\"\\", "\"a", "{\"a", "[1", "]", "}", "nul", "-", ":,", "\"\\u12"}) {
        INFO(text);
        std::string const copy(text);
        teller t;
        json::writer w(t);
        w.raw(json::text::trusted(std::string_view(copy.data(), copy.size())));
        CHECK(t.told.size() < 40);
    }
}

TEST_CASE("a sink gets no string that is not UTF-8, and the write fails", "[json]") {
    std::string const bad = "b\xff";
    std::string const long_bad = std::string(300, 'x') + bad;
    char const* const nothing = nullptr;
    auto const fails = [](auto const& value) {
        teller t;
        json::writer w(t);
        w.value(value);
        CHECK(t.told.find('\xff') == std::string::npos);
        return w.status().error().code;
    };
    CHECK(fails(bad) == errc::invalid_utf8);
    CHECK(fails(long_bad) == errc::invalid_utf8);
    CHECK(fails(std::vector<std::string>{"good", bad}) == errc::invalid_utf8);
    CHECK(fails(std::map<std::string, int>{{bad, 1}}) == errc::invalid_utf8);
    CHECK(fails(position{1, 2, bad}) == errc::invalid_utf8);
    CHECK(fails(nothing) == errc::null_string);
}

} // namespace json_sink_test
