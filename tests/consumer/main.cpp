// Proves that the library was found, compiles and works.
#include <socketless/socketless.hpp>

int main() {
    auto const packet = socketless::engineio::decode({socketless::frame_kind::text, "4hello"});
    return packet && packet->data == "hello" ? 0 : 1;
}
