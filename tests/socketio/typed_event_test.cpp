#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/audience.hpp>
#include <socketless/client.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace socketio_typed_event_test {

using namespace socketless;
using namespace socketless::socketio;

namespace app {

struct point {
    int x = 0;
    int y = 0;

    friend bool operator==(point, point) = default;
};

void write_json(json::writer& out, point const& p) {
    out.begin_object().member("x", p.x).member("y", p.y).end_object();
}

result<void> read_json(json::text from, point& to) {
    json::text const none;
    auto const x = from.find("x").value_or(none).get<int>();
    auto const y = from.find("y").value_or(none).get<int>();
    if (!x || !y) return errc::wrong_kind;
    to = {*x, *y};
    return {};
}

// Converts to a type as which it is not written.
struct amount {
    int cents = 0;

    operator int() const { return cents; } // NOLINT: implicit, as the test needs it
    operator std::string_view() const { return "amount"; }
};

void write_json(json::writer& out, amount const& a) {
    out.begin_object().member("cents", a.cents).end_object();
}

struct corner : point {};

struct unwritable {};

} // namespace app

namespace {

// Whether an event that declares `Declared` may be emitted with an argument that is an `Emitted`.
template <class Declared, class Emitted>
constexpr bool takes = event_name_for<typed_event<Declared>, Emitted>;

// Whether all functions that emit take an event of this name with these arguments.
template <class Name, class... Args>
constexpr bool emitted_by_client_session = requires(client_session s, socket_handle h,
                                                    std::optional<milliseconds> timeout, Name name, Args... args) {
    s.emit(h, name, args...);
    s.emit_volatile(h, name, args...);
    s.emit_with_ack(h, timeout, name, args...);
};
template <class Name, class... Args>
constexpr bool emitted_by_server_session = requires(server_session s, socket_handle h,
                                                    std::optional<milliseconds> timeout, Name name, Args... args) {
    s.emit(h, name, args...);
    s.emit_with_ack(h, 1, timeout, name, args...);
};
template <class Stack, class Name, class... Args>
constexpr bool emitted_by_stack = requires(Stack& s, socket_handle h, std::optional<milliseconds> timeout, Name name,
                                           Args... args) {
    s.emit(h, name, args...);
    s.emit_volatile(h, name, args...);
    s.emit_with_ack(h, timeout, name, args...);
};
template <class Name, class... Args>
constexpr bool emitted_by_audience = requires(audience a, std::optional<milliseconds> timeout, Name name,
                                              Args... args) {
    a.emit(name, args...);
    a.emit_volatile(name, args...);
    a.emit_with_ack(timeout, name, args...);
};

// Whether any of them does: invalid arguments must not compile anywhere.
template <class Name, class... Args>
constexpr bool emitted_by_any = requires(client_session s, socket_handle h, Name name, Args... args) {
    s.emit(h, name, args...);
}
|| requires(client_session s, socket_handle h, Name name, Args... args) {
    s.emit_volatile(h, name, args...);
}
|| requires(client_session s, socket_handle h, std::optional<milliseconds> t, Name name, Args... args) {
    s.emit_with_ack(h, t, name, args...);
}
|| requires(server_session s, socket_handle h, Name name, Args... args) {
    s.emit(h, name, args...);
}
|| requires(server_session s, socket_handle h, std::optional<milliseconds> t, Name name, Args... args) {
    s.emit_with_ack(h, 1, t, name, args...);
}
|| requires(client& s, socket_handle h, Name name, Args... args) {
    s.emit(h, name, args...);
}
|| requires(client& s, socket_handle h, Name name, Args... args) {
    s.emit_volatile(h, name, args...);
}
|| requires(client& s, socket_handle h, std::optional<milliseconds> t, Name name, Args... args) {
    s.emit_with_ack(h, t, name, args...);
}
|| requires(server& s, socket_handle h, Name name, Args... args) {
    s.emit(h, name, args...);
}
|| requires(server& s, socket_handle h, Name name, Args... args) {
    s.emit_volatile(h, name, args...);
}
|| requires(server& s, socket_handle h, std::optional<milliseconds> t, Name name, Args... args) {
    s.emit_with_ack(h, t, name, args...);
}
|| requires(audience a, Name name, Args... args) {
    a.emit(name, args...);
}
|| requires(audience a, Name name, Args... args) {
    a.emit_volatile(name, args...);
}
|| requires(audience a, std::optional<milliseconds> t, Name name, Args... args) {
    a.emit_with_ack(t, name, args...);
};

template <class Name, class... Args>
constexpr bool emitted_by_all =
    emitted_by_client_session<Name, Args...>&& emitted_by_server_session<Name, Args...>&& emitted_by_stack<
        client, Name, Args...>&& emitted_by_stack<server, Name, Args...>&& emitted_by_audience<Name, Args...>;

using moved = typed_event<int, std::string>;

} // namespace

static_assert(emitted_by_all<moved, int, char const*>);
static_assert(emitted_by_all<moved, std::uint64_t, std::string>);
static_assert(emitted_by_all<typed_event<>>);
static_assert(emitted_by_all<std::string_view, int, char const*, bool>);
static_assert(emitted_by_all<char const*>);
static_assert(emitted_by_all<std::string, std::vector<int>>);

// Too few, too many, in another order, of other types.
static_assert(!emitted_by_any<moved>);
static_assert(!emitted_by_any<moved, int>);
static_assert(!emitted_by_any<moved, int, char const*, int>);
static_assert(!emitted_by_any<moved, char const*, int>);
static_assert(!emitted_by_any<moved, double, char const*>);
static_assert(!emitted_by_any<moved, bool, char const*>);
static_assert(!emitted_by_any<moved, int, int>);
static_assert(!emitted_by_any<typed_event<>, int>);
// Not a name.
static_assert(!emitted_by_any<int, int>);

// Numbers.
static_assert(takes<int, long> && takes<std::uint8_t, int> && takes<std::uint64_t, unsigned>);
static_assert(takes<double, int> && takes<float, double> && takes<double, float>);
static_assert(!takes<int, double> && !takes<int, float>);
static_assert(!takes<int, bool> && !takes<double, bool> && !takes<bool, int> && !takes<bool, char const*>);
static_assert(!takes<int, char> && !takes<double, char> && takes<bool, bool>);
static_assert(!takes<int, std::optional<int>> && !takes<int, std::nullptr_t>);

// Texts: a declared type that owns its text takes one that borrows it, and the other way round.
static_assert(takes<std::string, std::string_view> && takes<std::string, char const*> && takes<std::string, char[6]>);
static_assert(takes<json::lossy_string, char const*> && takes<std::string, json::lossy_string>);
static_assert(takes<std::string_view, std::string> && takes<std::string_view, char[6]>);
static_assert(!takes<std::string, int> && !takes<std::string, std::nullptr_t> && !takes<std::string, char>);

// Bytes.
static_assert(takes<byte_view, std::vector<std::byte>> && takes<byte_view, std::array<std::byte, 3>>);
static_assert(takes<byte_view, std::span<std::byte>> && takes<byte_view, std::byte[3]>);
static_assert(takes<std::vector<std::byte>, byte_view>);
static_assert(takes<byte_view, std::vector<unsigned char>> && takes<std::vector<std::uint8_t>, std::byte[3]>);
static_assert(!takes<std::vector<int>, std::vector<std::uint8_t>> &&
              !takes<std::vector<std::uint8_t>, std::vector<int>>);
static_assert(!takes<byte_view, std::string> && !takes<json::text, std::array<std::uint8_t, 2>>);
static_assert(!takes<std::string, byte_view> && !takes<std::vector<int>, byte_view>);

// Optional arguments.
static_assert(takes<std::optional<int>, int> && takes<std::optional<int>, std::nullopt_t>);
static_assert(takes<std::optional<int>, std::nullptr_t> && takes<std::optional<double>, std::optional<int>>);
static_assert(takes<std::optional<std::string>, char const*> && takes<std::optional<byte_view>, std::nullopt_t>);
static_assert(!takes<std::optional<int>, std::string> && !takes<std::optional<int>, std::optional<double>>);

// Containers.
static_assert(takes<std::vector<int>, std::vector<int>> && takes<std::vector<int>, std::array<int, 3>>);
static_assert(takes<std::vector<double>, std::list<int>> && takes<std::vector<std::string>, std::vector<char const*>>);
static_assert(takes<std::vector<bool>, std::vector<bool>> && takes<std::vector<std::optional<int>>, std::vector<int>>);
static_assert(takes<std::vector<byte_view>, std::vector<std::vector<std::byte>>>);
static_assert(!takes<std::vector<int>, std::vector<double>> && !takes<std::vector<int>, int>);
static_assert(!takes<std::vector<int>, std::string> && !takes<std::vector<int>, std::map<std::string, int>>);
static_assert(takes<std::map<std::string, double>, std::unordered_map<std::string_view, int>>);
static_assert(!takes<std::map<std::string, int>, std::map<std::string, double>>);
static_assert(!takes<std::map<std::string, int>, std::map<int, int>>);
static_assert(!takes<std::map<std::string, int>, std::vector<int>>);

// JSON, and types of the user's. Conversions of these do not matter: they are written as the user defines.
static_assert(takes<json::text, int> && takes<json::text, app::point> && takes<json::text, json::text>);
static_assert(!takes<json::text, byte_view> && !takes<int, json::text>);
static_assert(takes<app::point, app::point> && takes<app::point, app::corner>);
static_assert(takes<std::vector<app::point>, std::array<app::point, 2>> &&
              takes<std::optional<app::point>, app::point>);
static_assert(!takes<app::point, int> && !takes<int, app::point> && !takes<app::point, app::unwritable>);
static_assert(!takes<int, app::amount> && !takes<std::string, app::amount> && takes<app::amount, app::amount>);

namespace {

// Emits an event between whole stacks; the other side reads the declared types.
template <class... Declared, class... Args>
auto carried(typed_event<Declared...> const& declared, Args const&... args) {
    using read = decltype(std::declval<event const&>().get(declared));
    std::optional<std::pair<std::string, read>> received;
    support::stacks stacks;
    stacks.on_server_event = [&](event& e) {
        if (e.type != event_type::event) return;
        CHECK(e.name() == declared.name);
        std::string const packet(e.packet.packet.data.raw());
        received.emplace(packet, e.get(declared));
    };
    auto& client = stacks.client(stacks.add());
    auto const socket = client.connect();
    REQUIRE(socket.has_value());
    CHECK(client.emit(*socket, declared, args...).has_value());
    stacks.settle();
    REQUIRE(received.has_value());
    return *received;
}

} // namespace

TEST_CASE("a typed event is emitted under its name, and its arguments come as the types it declares", "[socketio]") {
    auto const [packet, read] =
        carried(typed_event<double, std::string, std::optional<bool>>{"moved"}, 3, "north", std::nullopt);
    CHECK(packet == R"(["moved",3,"north",null])");
    CHECK(read == std::tuple(3.0, std::string("north"), std::optional<bool>()));
}

TEST_CASE("a typed event of strings takes borrowed ones, and carries them whatever is in them", "[socketio]") {
    auto const said = carried(typed_event<std::string, json::lossy_string>{"said"}, std::string_view("\"\n"), "\t");
    CHECK(said.second == std::tuple(std::string("\"\n"), json::lossy_string("\t")));
}

TEST_CASE("a typed event of one argument is read as that argument, and one without arguments as nothing",
          "[socketio]") {
    CHECK(carried(typed_event<std::vector<int>>{"numbers"}, std::array<int, 2>{1, 2}).second == std::vector{1, 2});
    auto const [packet, read] = carried(typed_event<>{"nothing"});
    CHECK(packet == R"(["nothing"])");
    CHECK(read.has_value());
}

TEST_CASE("a typed event carries types of the user's", "[socketio]") {
    auto const [packet, read] = carried(typed_event<app::point, std::vector<app::point>>{"points"}, app::corner{{1, 2}},
                                        std::array<app::point, 1>{app::point{3, 4}});
    CHECK(packet == R"(["points",{"x":1,"y":2},[{"x":3,"y":4}]])");
    CHECK(read == std::tuple(app::point{1, 2}, std::vector{app::point{3, 4}}));
}

TEST_CASE("a typed event carries bytes", "[socketio]") {
    std::array<std::byte, 2> const bytes{std::byte{1}, std::byte{2}};
    auto const read = carried(typed_event<std::vector<std::byte>>{"file"}, bytes).second;
    CHECK(read == std::vector<std::byte>(bytes.begin(), bytes.end()));
}

TEST_CASE("a number that the declared type cannot hold is refused where it is read", "[socketio]") {
    CHECK(carried(typed_event<std::uint8_t>{"small"}, 300).second == error{errc::out_of_range, 0});
}

} // namespace socketio_typed_event_test
