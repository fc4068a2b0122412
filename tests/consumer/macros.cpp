// The headers behind macros of the frameworks that README names, defined so that no use of them compiles; and the
// macros are there afterwards.

// What a framework brings itself comes before its macros.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#define NOT_CODE(...) static_assert(false, "a macro of a framework was used")

// Qt, with its keywords
#define emit
#define foreach(variable, container) NOT_CODE()
#define forever NOT_CODE()
#define signals NOT_CODE()
#define slots

// Unreal Engine
#define PI (3.1415926535897932f)
#define TEXT(quote) L##quote
#define check(expression) NOT_CODE()
#define checkf(expression, format, ...) NOT_CODE()
#define ensure(expression) NOT_CODE()
#define verify(expression) NOT_CODE()
#define verifyf(expression, format, ...) NOT_CODE()

// windows.h
#define CALLBACK __stdcall
#define DELETE (0x00010000L)
#define ERROR 0
#define FALSE 0
#define GetMessage GetMessageW
#define GetObject GetObjectW
#define IN
#define NO_ERROR 0L
#define OPTIONAL
#define OUT
#define SendMessage SendMessageW
#define TRUE 1
#define far
#define interface struct
#define max(a, b) NOT_CODE()
#define min(a, b) NOT_CODE()
#define near
#define small char

// Arduino
#define B0 0
#define B1 1
#define B11111111 255
#define DEFAULT 1
#define F(literal) NOT_CODE()
#define HIGH 0x1
#define INPUT 0x0
#define LOW 0x0
#define OUTPUT 0x1
#define abs(x) NOT_CODE()
#define bit(b) NOT_CODE()
#define bitRead(value, bit) NOT_CODE()
#define constrain(amount, low, high) NOT_CODE()
#define degrees(radians) NOT_CODE()
#define highByte(w) NOT_CODE()
#define interrupts() NOT_CODE()
#define lowByte(w) NOT_CODE()
#define radians(degrees) NOT_CODE()
#define round(x) NOT_CODE()
#define sq(x) NOT_CODE()
#define word(...) NOT_CODE()

// lwIP
#define accept(s, addr, length) NOT_CODE()
#define bind(s, name, length) NOT_CODE()
#define close(s) NOT_CODE()
#define connect(s, name, length) NOT_CODE()
#define listen(s, backlog) NOT_CODE()
#define poll(fds, count, timeout) NOT_CODE()
#define read(s, memory, length) NOT_CODE()
#define recv(s, memory, length, flags) NOT_CODE()
#define select(count, reads, writes, errors, timeout) NOT_CODE()
#define send(s, data, size, flags) NOT_CODE()
#define shutdown(s, how) NOT_CODE()
#define socket(domain, type, protocol) NOT_CODE()
#define write(s, data, length) NOT_CODE()

#include "memory.hpp"

#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketless.hpp>

#if !defined(emit) || !defined(foreach) || !defined(forever) || !defined(signals) || !defined(slots)
#error "a macro of Qt is gone"
#endif
#if !defined(PI) || !defined(TEXT) || !defined(check) || !defined(checkf) || !defined(ensure) || !defined(verify) ||   \
    !defined(verifyf)
#error "a macro of Unreal Engine is gone"
#endif
#if !defined(CALLBACK) || !defined(DELETE) || !defined(ERROR) || !defined(FALSE) || !defined(GetMessage) ||            \
    !defined(GetObject) || !defined(IN) || !defined(NO_ERROR) || !defined(OPTIONAL) || !defined(OUT) ||                \
    !defined(SendMessage) || !defined(TRUE) || !defined(far) || !defined(interface) || !defined(max) ||                \
    !defined(min) || !defined(near) || !defined(small)
#error "a macro of windows.h is gone"
#endif
#if !defined(B0) || !defined(B1) || !defined(B11111111) || !defined(DEFAULT) || !defined(F) || !defined(HIGH) ||       \
    !defined(INPUT) || !defined(LOW) || !defined(OUTPUT) || !defined(abs) || !defined(bit) || !defined(bitRead) ||     \
    !defined(constrain) || !defined(degrees) || !defined(highByte) || !defined(interrupts) || !defined(lowByte) ||     \
    !defined(radians) || !defined(round) || !defined(sq) || !defined(word)
#error "a macro of Arduino is gone"
#endif
#if !defined(accept) || !defined(bind) || !defined(close) || !defined(connect) || !defined(listen) ||                  \
    !defined(poll) || !defined(read) || !defined(recv) || !defined(select) || !defined(send) || !defined(shutdown) ||  \
    !defined(socket) || !defined(write)
#error "a macro of lwIP is gone"
#endif
static_assert(ERROR == 0 && DELETE == 0x10000 && B11111111 == 255 && sizeof(small) == 1);

// Names that are macros with arguments are called in parentheses. `emit` cannot be called while it is Qt's keyword.
int main() {
    using socketless::socketio::event_type;

    consumer::memory network;
    std::string heard;
    socketless::socketio::dispatcher of_server;
    of_server.on("message", [&](socketless::socketio::event& e) {
        heard = e.get<std::string>().value_or("");
        network.server.acknowledge(e.ack).ignore();
        (network.server.send)(e.socket, heard + "!").ignore();
    });
    std::string answer;
    auto const lobby = (network.client.connect)("/").value();
    (network.client.send)(lobby, "hello").ignore();
    network.run([&](socketless::socketio::event& e) { of_server.dispatch(e); },
                [&](socketless::socketio::event& e) {
                    if (e.type == event_type::event) answer = e.get<std::string>().value_or("");
                });
    (network.client.close)();
    return heard == "hello" && answer == "hello!" ? 0 : 1;
}
