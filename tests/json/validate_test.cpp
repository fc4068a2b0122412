#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/json/validate.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace json_validate_test {

using namespace socketless;
using namespace std::string_view_literals;
using json::validate;
using support::to_hex;

namespace {

// RFC 8259, one function a rule, by recursive descent: slow and plain, to compare the validator with.
class recognizer {
public:
    explicit recognizer(std::string_view s) : rest_(s) {}

    bool run() { return element() && rest_.empty(); }

private:
    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    bool take_one_of(std::string_view characters) {
        if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void space() {
        while (take_one_of(" \t\n\r")) continue;
    }
    bool digits() {
        if (!take_one_of("0123456789")) return false;
        while (take_one_of("0123456789")) continue;
        return true;
    }

    bool element() {
        space();
        if (!value()) return false;
        space();
        return true;
    }
    bool value() {
        if (rest_.starts_with('{')) return container('{', '}', true);
        if (rest_.starts_with('[')) return container('[', ']', false);
        if (rest_.starts_with('"')) return string();
        return take("true") || take("false") || take("null") || number();
    }
    bool container(char opening, char closing, bool with_keys) {
        take(opening);
        space();
        if (take(closing)) return true;
        do {
            space();
            if (with_keys && !string()) return false;
            space();
            if (with_keys && !take(':')) return false;
            if (!element()) return false;
        } while (take(','));
        return take(closing);
    }
    bool number() {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (!take_one_of("eE")) return true;
        take_one_of("+-");
        return digits();
    }
    bool string() {
        if (!take('"')) return false;
        while (!take('"')) {
            if (!(take('\\') ? escape() : character())) return false;
        }
        return true;
    }
    bool escape() {
        if (!take('u')) return take_one_of("\"\\/bfnrt");
        for (int i = 0; i != 4; ++i)
            if (!take_one_of("0123456789abcdefABCDEF")) return false;
        return true;
    }
    bool character() {
        std::size_t const length = utf8::sequence_length(rest_);
        if (length == 0 || static_cast<unsigned char>(rest_.front()) < 0x20) return false;
        rest_.remove_prefix(length);
        return true;
    }

    std::string_view rest_;
};

// Whether the validator and the recognizer agree, and the text or error is usable.
bool agrees(std::string_view s) {
    auto const validated = validate(s);
    if (validated.has_value() != recognizer(s).run()) return false;
    if (!validated) {
        bool const known = validated.error().code == errc::invalid_json || validated.error().code == errc::invalid_utf8;
        return known && validated.error().offset <= s.size();
    }
    std::string_view const raw = validated->raw();
    std::string_view const space = " \t\n\r";
    return !raw.empty() && s.find(raw) != std::string_view::npos && space.find(raw.front()) == space.npos &&
           space.find(raw.back()) == space.npos;
}

std::string repeated(std::string_view s, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i != times; ++i) all += s;
    return all;
}

std::string nested_arrays(std::size_t depth) {
    return repeated("[", depth) + repeated("]", depth);
}

std::string nested_objects(std::size_t depth) {
    return repeated(R"({"a":)", depth) + "1" + repeated("}", depth);
}

std::string in_quotes(std::string_view s) {
    return '"' + std::string(s) + '"';
}

constexpr std::string_view good[] = {
    // structure
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    R"({"":{}})",
    R"([[],{},[{}],{"a":[]}])",
    "[1,2,3]",
    "[null]",
    R"({"a":1,"b":2})",
    R"({"a":"b","a":"b"})", // the same name twice
    R"({"a":{"b":{"c":[0]}}})",
    R"({"":0})",
    R"({"a\u0000b":0})",
    R"({"\"":1,"\\":2})",

    // scalars alone
    "null",
    "true",
    "false",
    "0",
    "-0",
    R"("")",
    R"("a string")",

    // white space
    " 1 ",
    "\t[\n1\r,\r\n2 ]\t",
    " { \"a\" : 1 , \"b\" : [ ] } ",
    "[ ]",
    "{ }",
    "\n\n\n1",

    // numbers
    "-1",
    "10",
    "1234567890123456789012345678901234567890",
    "0.0",
    "-0.0",
    "0.1",
    "1.5",
    "123.456789",
    "0e1",
    "0e+1",
    "0E-1",
    "1e2",
    "1E2",
    "1e+2",
    "1e-2",
    "1E+2",
    "1.5e3",
    "-1.5E-3",
    "1e0001",
    "1e400", // a number, though no double can hold it
    "-1e-400",
    "0.000000000000000000000000000000000000000000000000000001",

    // strings
    R"("\"\\\/\b\f\n\r\t")",
    R"("\u0041\u00e9\u20AC\uABCD\uabcd")",
    R"("\ud83d\ude00")",
    R"("\uD83D\uDE00")",
    R"("\u0000")",
    R"("\\u0041")",
    R"("\\")",
    R"("/")",
    "\"\x7f\"", // DEL is no control character to RFC 8259
    "\"\u0080\u2028\u2029\ufeff\ufffe\uffff\"",
    "\"\u00e9\u20ac\U0001f600\U0010ffff\"",
    "\"[{]},:\"",
    "\"'\"",

    // half surrogate pairs are valid JSON; reading their contents is an error
    R"("\ud800")",
    R"("\udc00")",
    R"("\ud800\ud800")",
    R"("\udc00\ud800")",
    R"("\ud800\n")",
    R"("\ud800x")",
};

struct bad_text {
    std::string_view s;
    std::size_t offset;
    errc code = errc::invalid_json;
};

// The offset of each error: invalid words, escapes and characters are wrong from their start.
constexpr bad_text bad[] = {
    // nothing, or too much
    {"", 0},
    {" ", 1},
    {" \t\r\n", 4},
    {"1 2", 2},
    {"1,2", 1},
    {"[] []", 3},
    {"{}}", 2},
    {"[]]", 2},
    {"[1]x", 3},
    {"nullnull", 4},
    {"null\0"sv, 4},
    {R"("a""b")", 3},
    {"{\"a\":1}#comment", 7},
    {"//comment\n1", 0},
    {"/**/1", 0},
    {"1/**/", 1},

    // structure
    {"[", 1},
    {"{", 1},
    {"]", 0},
    {"}", 0},
    {",", 0},
    {":", 0},
    {"[}", 1},
    {"{]", 1},
    {"[1}", 2},
    {R"({"a":1])", 6},
    {"[1", 2},
    {"[1,", 3},
    {"[1,]", 3},
    {"[,1]", 1},
    {"[,]", 1},
    {"[1,,2]", 3},
    {"[1 2]", 3},
    {"[1:2]", 2},
    {"[\"a\":1]", 4},
    {"[\n1\n,", 5},
    {R"({"a"})", 4},
    {R"({"a":})", 5},
    {R"({"a":1)", 6},
    {R"({"a":1,)", 7},
    {R"({"a":1,})", 7},
    {R"({"a":1,,"b":2})", 7},
    {R"({,"a":1})", 1},
    {R"({"a" 1})", 5},
    {R"({"a","b"})", 4},
    {R"({"a"::1})", 5},
    {R"({"a":1 "b":2})", 7},
    {R"({"a":1:2})", 6},
    {R"({"a")", 4},
    {R"({"a":)", 5},
    {R"({"a)", 3},
    {"{a:1}", 1},
    {"{'a':1}", 1},
    {"{1:1}", 1},
    {"{null:1}", 1},
    {"{[]:1}", 1},
    {"{:1}", 1},
    {"{1}", 1},
    {"<null>", 0},

    // words
    {"nul", 0},
    {"n", 0},
    {"nulx", 0},
    {"True", 0},
    {"TRUE", 0},
    {"tru", 0},
    {"truex", 4},
    {"fals", 0},
    {"undefined", 0},
    {"NaN", 0},
    {"Infinity", 0},
    {"[nul]", 1},
    {"[truth]", 1},
    {"t\0ue"sv, 0},

    // numbers
    {"-", 1},
    {"+", 0},
    {"+1", 0},
    {"--1", 1},
    {"- 1", 1},
    {"-a", 1},
    {"-Infinity", 1},
    {"01", 1},
    {"-01", 2},
    {"00", 1},
    {"0x1", 1},
    {"1.", 2},
    {"-1.", 3},
    {".5", 0},
    {"-.5", 1},
    {"1.e1", 2},
    {"1..2", 2},
    {"1.2.3", 3},
    {"1e", 2},
    {"1E", 2},
    {"1e+", 3},
    {"1e-", 3},
    {"1e+-1", 3},
    {"1e1.5", 3},
    {"1e1e1", 3},
    {"1ee1", 2},
    {"1_000", 1},
    {"1,000", 1},
    {"1a", 1},
    {"1-", 1},
    {"1+1", 1},
    {"[-]", 2},
    {"[1.]", 3},
    {"[01]", 2},
    {"\xef\xbc\x91", 0}, // a full-width digit

    // strings
    {"\"", 1},
    {"\"a", 2},
    {"'a'", 0},
    {"a", 0},
    {R"("\")", 3},
    {"\"\\\\\"\\", 4},
    {R"("\a")", 1},
    {R"("\x41")", 1},
    {R"("\0")", 1},
    {R"("\ ")", 1},
    {R"("\'")", 1},
    {R"("\U0041")", 1},
    {R"("\u")", 1},
    {R"("\u004")", 1},
    {R"("\u004g")", 1},
    {R"("\u 041")", 1},
    {R"("\u-041")", 1},
    {R"("\u{41}")", 1},
    {R"("\u00)", 1},
    {R"("\ud83d\u")", 7},
    {R"("\ud83d\ude0")", 7},
    {R"("ab\)", 3},
    {"\"\\\n\"", 1},
    {"\"\\\xc3\xa9\"", 1},
    {"\"a\nb\"", 2},
    {"\"a\tb\"", 2},
    {"\"\0\""sv, 1},
    {"\"\x1f\"", 1},
    {"[\"a\n\"]", 3},
    {"{\"a\n\":1}", 3},

    // invalid UTF-8: inside of a string this is the error, elsewhere it is just not JSON
    {"\"\xff\"", 1, errc::invalid_utf8},
    {"\"\x80\"", 1, errc::invalid_utf8},
    {"\"ab\xc3\"", 3, errc::invalid_utf8},
    {"\"\xc0\x80\"", 1, errc::invalid_utf8},
    {"\"\xe2\x82\"", 1, errc::invalid_utf8},
    {"\"\xed\xa0\x80\"", 1, errc::invalid_utf8},
    {"\"\xf4\x90\x80\x80\"", 1, errc::invalid_utf8},
    {"\"\xe2\x82", 1, errc::invalid_utf8},
    {"{\"\xff\":1}", 2, errc::invalid_utf8},
    {"\xff", 0},
    {"[\xc3\xa9]", 1},

    // white space that JSON does not know
    {"\xef\xbb\xbf{}", 0}, // a byte order mark
    {"\f1", 0},
    {"\v1", 0},
    {"\xc2\xa0[]", 0},
    {"1\xe2\x80\x89", 1},
    {"\xe2\x81\xa0[]", 0},
    {"[1,\0]"sv, 3},
    {"\xff\xfe[\0]\0"sv, 0}, // UTF-16
};

constexpr std::string_view samples[] = {
    R"({"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"maxPayload":1000000})",
    R"(["message",{"_placeholder":true,"num":0},null,-1.5e+10,[[],{}],"\u00e9\ud83d\ude00\n"])",
    " [ 0 , \"\u00e9\u20ac\U0001f600 and more than eight plain characters\" , false ]\n",
    R"({"a":{"b":[{"c":[[{"d":{}}]]}]},"":[""]})",
    "-0.0E-0",
};

} // namespace

static_assert(validate(R"({"a":[1,-2.5e3,true,false,null,"\u00e9\n"]})"));
static_assert(validate("\t[1] ")->raw() == "[1]");
static_assert(validate("[1,]") == error{errc::invalid_json, 3});
static_assert(validate("[[]]", 1) == error{errc::depth_exceeded, 1});
static_assert(validate("\"\xff\"") == error{errc::invalid_utf8, 1});
static_assert(noexcept(validate(std::string_view())));

TEST_CASE("JSON is accepted, whatever value it is", "[validate]") {
    for (std::string_view const s : good) {
        CAPTURE(s);
        CHECK(validate(support::exact_copy(s).view()));
        CHECK(recognizer(s).run());
    }
}

TEST_CASE("text that is not JSON is refused at its first wrong byte", "[validate]") {
    for (auto const& [s, offset, code] : bad) {
        CAPTURE(s);
        CHECK(validate(support::exact_copy(s).view()) == error{code, offset});
        CHECK_FALSE(recognizer(s).run());
    }
}

TEST_CASE("a good value is good within an array and as a member, and a bad one bad there too", "[validate]") {
    for (std::string_view const s : good) {
        CAPTURE(s);
        CHECK(validate('[' + std::string(s) + ']'));
        CHECK(validate("{\"key\":" + std::string(s) + '}'));
        CHECK(validate("[0," + std::string(s) + ",0]"));
    }
    for (auto const& [s, offset, code] : bad) {
        CAPTURE(s);
        std::string const array = "[" + std::string(s) + "]";
        CHECK(validate(array).has_value() == recognizer(array).run());
    }
}

TEST_CASE("white space around a text is allowed and does not belong to it", "[validate]") {
    for (std::string_view const before : {""sv, " "sv, "\t"sv, "\n\r "sv})
        for (std::string_view const after : {""sv, " "sv, "\r\n\t "sv})
            for (std::string_view const value : {"1"sv, "\" a \""sv, "[ 1 ]"sv, "{ }"sv, "null"sv})
                CHECK(validate(std::string(before) + std::string(value) + std::string(after))->raw() == value);
}

TEST_CASE("the text that comes out is a part of the one that went in", "[validate]") {
    std::string_view const s = "  [1]  ";
    auto const text = validate(s);
    REQUIRE(text);
    CHECK(text->raw().data() == s.data() + 2);
    CHECK(text->raw().size() == 3);
}

TEST_CASE("as many arrays and objects may be open at once as the limit says", "[validate]") {
    for (std::uint32_t const limit : {0u, 1u, 2u, 63u, 64u, 65u, 127u, 128u, 129u, 255u, 256u}) {
        CAPTURE(limit);
        CHECK(validate("1", limit));
        if (limit > 1) CHECK(validate(nested_arrays(limit - 1), limit));
        if (limit != 0) CHECK(validate(nested_arrays(limit), limit));
        CHECK(validate(nested_objects(limit), limit));
        CHECK(validate(nested_arrays(limit + 1), limit) == error{errc::depth_exceeded, limit});
        CHECK(validate(nested_objects(limit + 1), limit) == error{errc::depth_exceeded, limit * 5});
    }
}

TEST_CASE("arrays and objects count alike towards the depth", "[validate]") {
    std::string const mixed = R"([{"a":[{"b":[]}]}])"; // 5 deep
    CHECK(validate(mixed, 5));
    CHECK(validate(mixed, 4) == error{errc::depth_exceeded, 12});
    CHECK(validate(mixed, 3) == error{errc::depth_exceeded, 7});
    CHECK(validate(R"({"a":[]})", 1) == error{errc::depth_exceeded, 5});
    CHECK(validate(R"([{}])", 1) == error{errc::depth_exceeded, 1});
}

TEST_CASE("arrays and objects that are closed no longer count towards the depth", "[validate]") {
    CHECK(validate('[' + repeated("[[]],", 1000) + "[]]", 3));
    CHECK(validate('[' + repeated(R"({"a":{}},)", 1000) + "0]", 3));
}

TEST_CASE("the depth limit is 1000 unless told otherwise and never more than limits::deepest", "[validate]") {
    CHECK(validate(nested_arrays(1000)));
    CHECK(validate(nested_arrays(1001)) == error{errc::depth_exceeded, 1000});
    for (std::uint32_t const limit : {limits::deepest, limits::deepest + 1, 1'000'000u, 0xffffffffu}) {
        CHECK(validate(nested_arrays(limits::deepest), limit));
        CHECK(validate(nested_arrays(limits::deepest + 1), limit) == error{errc::depth_exceeded, limits::deepest});
    }
}

TEST_CASE("a million brackets are no danger", "[validate]") {
    std::size_t const million = 1'000'000;
    CHECK(validate(repeated("[", million)) == error{errc::depth_exceeded, 1000});
    CHECK(validate(repeated(R"({"":)", million)) == error{errc::depth_exceeded, 4000});
    CHECK(validate(nested_arrays(million), 0xffffffff) == error{errc::depth_exceeded, limits::deepest});
    CHECK(validate(repeated("]", million)) == error{errc::invalid_json, 0});
    CHECK(validate('[' + repeated("[],", million) + "0]"));
}

TEST_CASE("each bracket is closed by its own kind at every depth", "[validate]") {
    support::random_source random(10);
    for (int round = 0; round != 200; ++round) {
        std::size_t const depth = 1 + random.below(limits::deepest);
        std::string opening;
        std::string closing;
        for (std::size_t i = 0; i != depth; ++i) {
            bool const object = random.one_in(2);
            opening += object ? R"({"":)" : "[";
            closing.insert(closing.begin(), object ? '}' : ']');
        }
        std::string s = opening + "0" + closing;
        CHECK(validate(s, limits::deepest));
        std::size_t const wrong = opening.size() + 1 + random.below(depth);
        s[wrong] = s[wrong] == ']' ? '}' : ']';
        CHECK(validate(s, limits::deepest) == error{errc::invalid_json, wrong});
    }
}

TEST_CASE("every prefix of JSON is refused at its end or before", "[validate]") {
    for (std::string_view const s : samples) {
        support::for_each_prefix(s, [](std::string_view prefix) {
            if (!agrees(prefix)) FAIL_CHECK(prefix);
        });
    }
}

TEST_CASE("JSON with any byte changed, added or removed is judged by the grammar", "[validate]") {
    auto const check = [](std::string_view s) {
        if (!agrees(s)) FAIL_CHECK(to_hex(s));
    };
    for (std::string_view const s : samples) {
        support::for_each_changed_byte(s, check);
        support::for_each_removed_byte(s, check);
        support::for_each_added_byte(s, "[]{},:\"\\ 01.e-u\n\xc3"sv, check);
    }
}

TEST_CASE("random sequences of tokens are judged by the grammar", "[validate]") {
    constexpr std::string_view tokens[] = {"[", "]",  "{",  "}",   ",",     ":",       "\"a\"", "\"\"",
                                           "1", "-",  "0",  "1.5", "e1",    ".",       "true",  "null",
                                           " ", "\n", "\"", "\\",  "\\u12", "\xc3\xa9"};
    support::random_source random(11);
    std::size_t accepted = 0;
    for (int i = 0; i != 100'000; ++i) {
        std::string s;
        for (std::size_t n = random.below(9); n != 0; --n) s += random.pick(tokens);
        if (!agrees(s)) FAIL_CHECK(s);
        accepted += validate(s).has_value();
    }
    CHECK(accepted > 1000); // else this would test little
}

TEST_CASE("the end of a run of plain characters is found at every alignment, length and place", "[validate]") {
    for (char const special : "\"\\\x1f\x01\n\x80\xbf\xff\0"sv) {
        for (char const plain : " !#[]^\x7f"sv) { // the neighbours of the special ones
            for (std::size_t alignment = 0; alignment != 8; ++alignment) {
                for (std::size_t size = 0; size <= 40; ++size) {
                    support::exact_copy const copy(std::string(alignment + size, plain));
                    char* const first = copy.span().data() + alignment;
                    char* const end = first + size;
                    if (json::detail::skip_plain(first, end) != end) FAIL_CHECK(alignment << ' ' << size);
                    for (char* p = first; p != end; ++p) {
                        *p = special;
                        if (json::detail::skip_plain(first, end) != p) FAIL_CHECK(alignment << ' ' << size);
                        *p = plain;
                    }
                }
            }
        }
    }
}

TEST_CASE("plain characters are found one by one as they are found by the word", "[validate]") {
    support::random_source random(12);
    for (int i = 0; i != 50'000; ++i) {
        // Mostly plain characters, and some that a borrow from their neighbour could make look special.
        support::exact_copy const copy(random.text(random.below(33), " !#[]^\x7f !#[]^\x7f !#[]^\x7f\"\\\x1f\x80"));
        std::string_view const s = copy.view();
        char const* const end = s.data() + s.size();
        char const* expected = s.data();
        while (expected != end && json::detail::is_plain(*expected)) ++expected;
        if (json::detail::skip_plain(s.data(), end) != expected) FAIL_CHECK(to_hex(s));
    }
}

TEST_CASE("every character is judged within a string as RFC 8259 says", "[validate]") {
    for (unsigned byte = 0; byte != 128; ++byte) {
        char const c = static_cast<char>(byte);
        CAPTURE(byte);
        CHECK(validate(in_quotes({&c, 1})).has_value() == (byte >= 0x20 && c != '"' && c != '\\'));
        bool const is_escape = "\"\\/bfnrt"sv.find(c) != std::string_view::npos;
        CHECK(validate(in_quotes(std::string("\\") + c)).has_value() == is_escape);
        bool const is_hex = "0123456789abcdefABCDEF"sv.find(c) != std::string_view::npos;
        for (std::size_t place = 0; place != 4; ++place) {
            std::string digits = "0000";
            digits[place] = c;
            CHECK(validate(in_quotes("\\u" + digits)).has_value() == is_hex);
        }
    }
}

// The quick validator says yes or no; the plain one, which computes constants too, says where. Both must agree,
// wherever tokens lie in a block, and at the end of the text.
bool agrees_with_plain(std::string_view s, std::uint32_t max_depth = 1000) {
    support::exact_copy const copy(s);
    auto const plain = json::detail::validator(copy.view(), max_depth).run();
    auto const quick = validate(copy.view(), max_depth);
    return plain ? quick.has_value() : !quick && quick.error() == plain.error();
}

TEST_CASE("tokens are judged alike at every place of a block and every distance to the end", "[validate]") {
    constexpr std::string_view values[] = {"0",
                                           "-0",
                                           "7",
                                           "-7",
                                           "01",
                                           "-01",
                                           "-",
                                           "12",
                                           "1234567",
                                           "12345678",
                                           "123456789012345",
                                           "1234567890123456",
                                           "12345678901234567",
                                           "-123456789012345678901234567890",
                                           "0.5",
                                           "-0.5",
                                           "00.5",
                                           "0.",
                                           "1.",
                                           "1.5",
                                           "-1.25",
                                           "1.e5",
                                           "1.5e3",
                                           "1e5",
                                           "1E-5",
                                           "1e",
                                           "1e+",
                                           "1.123456789012345678",
                                           "12345678901234.5",
                                           "123456789012345.5",
                                           "1..2",
                                           "1.2.3",
                                           ".5",
                                           "+1",
                                           "0x1",
                                           "1a",
                                           "true",
                                           "false",
                                           "null",
                                           "tru",
                                           "truex",
                                           "nul",
                                           "True",
                                           "",
                                           "\"\"",
                                           "\"a\"",
                                           "\"\\n\"",
                                           "\"\\\\\"",
                                           "\"\\\"\"",
                                           "\"\\u00e9\"",
                                           "\"\\u00e\"",
                                           "\"\\x\"",
                                           "\"\\\"",
                                           "\"[{,]}\"",
                                           "\"a\nb\"",
                                           "\"\xc3\xa9\"",
                                           "\"\xc3\"",
                                           "\"\xff\"",
                                           "[]",
                                           "{}",
                                           "[ ]",
                                           "[,]",
                                           "[1,]",
                                           "{\"a\":1}",
                                           "{\"a\" : 1}",
                                           "{\"a\",1}",
                                           "{\"a\"}",
                                           "{\"a\":}",
                                           "{a:1}",
                                           "{\"a\":1,}",
                                           "[1 2]",
                                           "[\"a\" \"b\"]",
                                           "[\"a\"1]",
                                           "[1\"a\"]",
                                           "[}",
                                           "{]",
                                           "\\",
                                           "\"a\" ",
                                           " 1 ",
                                           "\xc3\xa9",
                                           "1 ",
                                           "true ",
                                           "{\"a\":\"b\" }",
                                           "\"a\"x"};
    for (std::string_view const value : values) {
        for (std::size_t before = 0; before != 70; ++before) {
            for (std::size_t const behind : {0u, 1u, 14u, 15u, 16u, 17u, 40u, 63u, 64u, 65u}) {
                std::string const padding = in_quotes(std::string(before, 'x')) + ',';
                std::string const rest = ',' + in_quotes(std::string(behind, 'y'));
                std::string const array = '[' + padding + std::string(value);
                if (!agrees_with_plain(array + ']')) FAIL_CHECK(before << ' ' << behind << ' ' << value);
                if (!agrees_with_plain(array + rest + ']')) FAIL_CHECK(before << ' ' << behind << ' ' << value);
                std::string const object = "{\"" + std::string(before, 'k') + "\":" + std::string(value);
                if (!agrees_with_plain(object + '}')) FAIL_CHECK(before << ' ' << behind << ' ' << value);
                if (!agrees_with_plain(object + ",\"y\":[0" + rest + "]}"))
                    FAIL_CHECK(before << ' ' << behind << ' ' << value);
            }
        }
    }
}

TEST_CASE("strings of every length are judged alike with every special character at every place", "[validate]") {
    for (std::size_t size = 0; size <= 70; ++size) {
        for (std::string_view const special : {"\""sv, "\\"sv, "\\\\"sv, "\\\""sv, "\\u0041"sv, "\n"sv, "\x1f"sv,
                                               "\0"sv, "\x7f"sv, "\xc3\xa9"sv, "\x80"sv, ","sv, "]"sv, "}"sv}) {
            for (std::size_t place = 0; place <= size; ++place) {
                std::string s(size, 'p');
                s.insert(place, special);
                for (std::string const& text : {"[" + in_quotes(s) + "]", "[" + in_quotes(s) + ",\"behind it\",{}]",
                                                "{" + in_quotes(s) + ":1}", "[[0]," + in_quotes(s)})
                    if (!agrees_with_plain(text)) FAIL_CHECK(to_hex(text));
            }
        }
    }
}

TEST_CASE("what stands at the edge of a block is judged as anywhere else", "[validate]") {
    constexpr std::string_view parts[] = {"true",
                                          "false",
                                          "null",
                                          "truE",
                                          "nul",
                                          "truex",
                                          "true1",
                                          "12",
                                          "-0.25",
                                          "01",
                                          "-01",
                                          "1.",
                                          ".5",
                                          "1.5.5",
                                          "--1",
                                          "1-2",
                                          "-",
                                          "1e5",
                                          "-1.5E+300",
                                          "1e",
                                          "1e5.5",
                                          "1ee5",
                                          "e5",
                                          "1e5x",
                                          "[]",
                                          "{}",
                                          "[}",
                                          "{]",
                                          "[[1],[2]]",
                                          "[,1]",
                                          "[1,]",
                                          "[1 2]",
                                          "1 2",
                                          "\"a\"\"b\"",
                                          "\"a\":1",
                                          "{\"k\":1}",
                                          "{\"k\":{\"l\":[{}]},\"m\":2}",
                                          "{\"k\"}",
                                          "{\"k\",1}",
                                          "{\"k\":}",
                                          "{1:2}",
                                          "{\"k\":1,}",
                                          "{\"k\":1,2}",
                                          "{\"k\"::1}",
                                          "{\"k\" : 1 , \"l\" : [ 1 , 2 ] }",
                                          "{\"\\\"k\":\"\\\\\"}",
                                          "\x01",
                                          "\\",
                                          "\"\\",
                                          "true\t",
                                          "\xc3\xa9",
                                          "1\x0b2",
                                          "],[1",
                                          "}",
                                          "1],\"k\":[2"};
    for (std::size_t shift = 0; shift <= 130; ++shift) {
        std::string const string(shift, 's');
        for (std::string_view const part : parts) {
            std::string const value(part);
            for (std::string const& text :
                 {"[" + in_quotes(string) + "," + value + "]", "[" + std::string(shift, ' ') + value + " ,1]",
                  "{" + in_quotes(string) + ":" + value + "}",
                  "[1" + std::string(shift, '0') + "," + value + ", \"x\"]",
                  "[" + value + std::string(shift, '\n') + "]",
                  "{\"key\" " + std::string(shift, ' ') + ":" + value + "}"})
                if (!agrees_with_plain(text)) FAIL_CHECK(to_hex(text));
        }
    }
}

TEST_CASE("of an error of structure and one of UTF-8 the first is reported", "[validate]") {
    std::string const right =
        R"({"name":"a text that is long enough for several blocks","list":[1,2,"x","y"],"more":{"a":null}})";
    for (std::size_t wrong = 0; wrong != right.size(); ++wrong) {
        for (std::size_t place = 0; place != right.size(); ++place) {
            for (char const structural : {'\x01', '"', '\\', '}'}) {
                std::string s = right;
                s[wrong] = structural;
                s[place] = '\xe2';
                if (!agrees_with_plain(s)) FAIL_CHECK(to_hex(s));
            }
        }
    }
}

TEST_CASE("long random texts, changed in one place, are judged alike", "[validate]") {
    support::random_source random(13);
    constexpr std::string_view tokens[] = {"1",
                                           "-2.5",
                                           "\"a\"",
                                           "\"\\n\\\\\"",
                                           "[]",
                                           "{}",
                                           "true",
                                           "null",
                                           "\"a, b\"",
                                           "[1,[2,{\"k\":[]}]]",
                                           "{\"key\":\"value\",\"n\":1e5}",
                                           "\"\xd0\x96\"",
                                           " 7 "};
    for (int round = 0; round != 3'000; ++round) {
        std::string s = "[0";
        for (std::size_t n = random.below(300); n != 0; --n) s += ',' + std::string(random.pick(tokens));
        s += ']';
        if (!agrees_with_plain(s)) FAIL_CHECK(s);
        s[random.below(s.size())] = random.pick("[]{},:\"\\ 01.e-u\n\xc3\x01"sv);
        if (!agrees_with_plain(s)) FAIL_CHECK(to_hex(s));
        if (!agrees_with_plain(s, 3)) FAIL_CHECK(to_hex(s));
    }
}

} // namespace json_validate_test
