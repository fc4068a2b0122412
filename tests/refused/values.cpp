// What must not compile, and what the compiler has to say then: refused.cmake compiles this file and looks for the
// words of each comment in an error that stems from its line. Each type stands here once, as a template is made once.
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
struct changing {
    int* begin();
    int* end();
};

void write(server& io, socketio::socket_handle s, std::string& out) {
    int number = 0;
    user::anything any(true);
    io.emit(s, "a", &number).ignore();                           // a pointer is not written
    io.emit(s, "a", &any).ignore();                              // a pointer is not written
    io.emit(s, "a", std::vector<void*>()).ignore();              // a pointer is not written
    io.emit(s, "a", &member_of::x).ignore();                     // a pointer is not written
    io.emit(s, "a", changing()).ignore();                        // reading this range changes it
    io.emit(s, "a", L"wide").ignore();                           // text in JSON is UTF-8
    io.emit(s, "a", std::u16string()).ignore();                  // text in JSON is UTF-8
    io.emit(s, "a", static_cast<char32_t const*>(U"")).ignore(); // text in JSON is UTF-8
    io.emit(s, "a", std::vector<char>()).ignore();               // these characters may be text or bytes
    io.emit(s, "a", 'a').ignore();                               // a character may be text or a number
    io.emit(s, "a", std::optional(color::red)).ignore();         // an enumerator may be a number or a name
    io.emit(s, "a", green).ignore();                             // an enumerator may be a number or a name
    io.emit(s, "a", std::deque<unsigned char>()).ignore();       // bytes are sent from one piece of memory
    json::write(out, std::filesystem::path()).ignore();          // a range of itself has no end
    json::write(out, std::map<int, int>()).ignore();             // the names in a JSON object are strings
}

void read(socketio::event& e, json::text text, socketio::dispatcher& handlers) {
    e.get<std::string_view>().ignore();                // cannot be read as a std::string_view
    text.get<std::vector<char const*>>().ignore();     // cannot be read as a std::string_view
    text.get<std::optional<char>>().ignore();          // a character may be text or a number
    text.get<std::vector<std::uint8_t>>().ignore();    // bytes are not JSON
    text.get<std::map<std::string, color>>().ignore(); // no reading of JSON is known
    constexpr socketio::typed_event<std::u16string_view> typed{"a"};
    handlers.on(typed, [](auto const&) {}); // cannot be read as a std::string_view
}
