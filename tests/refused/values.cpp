// What must not compile, and what the compiler has to say then: refused.cmake compiles this file and looks for the words of
// each comment in an error that stems from its line. Each type stands here once, as a template is made once.
#include <socketless/server.hpp>
#include <socketless/socketio/dispatcher.hpp>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace socketless;

enum class color { red };
enum old_color { green };
namespace user {
struct anything {
    anything(bool) {}
};
void write_json(json::writer&, anything const&);
} // namespace user
struct member_of {
    int x;
};

void write(server& io, socketio::socket_handle s, std::string& out) {
    int number = 0;
    user::anything any(true);
    io.emit(s, "a", &number);                                     // a pointer is not written
    io.emit(s, "a", &any);                                        // a pointer is not written
    io.emit(s, "a", std::vector<void*>());                        // a pointer is not written
    io.emit(s, "a", &member_of::x);                               // a pointer is not written
    io.emit(s, "a", L"wide");                                     // text in JSON is UTF-8
    io.emit(s, "a", std::u16string());                            // text in JSON is UTF-8
    io.emit(s, "a", static_cast<char32_t const*>(U""));           // text in JSON is UTF-8
    io.emit(s, "a", std::vector<char>());                         // these characters may be text or bytes
    io.emit(s, "a", 'a');                                         // a character may be text or a number
    io.emit(s, "a", std::optional(color::red));                   // an enumerator may be a number or a name
    io.emit(s, "a", green);                                       // an enumerator may be a number or a name
    io.emit(s, "a", std::deque<unsigned char>());                 // bytes are sent from one piece of memory
    static_cast<void>(json::write(out, std::filesystem::path())); // a range of itself has no end
    static_cast<void>(json::write(out, std::map<int, int>()));    // the names in a JSON object are strings
}

void read(socketio::event& e, json::text text, socketio::dispatcher& handlers) {
    static_cast<void>(e.get<std::string_view>());                // cannot be read as a std::string_view
    static_cast<void>(text.get<std::vector<char const*>>());     // cannot be read as a std::string_view
    static_cast<void>(text.get<std::optional<char>>());          // a character may be text or a number
    static_cast<void>(text.get<std::vector<std::uint8_t>>());    // bytes are not JSON
    static_cast<void>(text.get<std::map<std::string, color>>()); // no reading of JSON is known
    constexpr socketio::typed_event<std::u16string_view> typed{"a"};
    handlers.on(typed, [](auto const&) {}); // cannot be read as a std::string_view
}
