// A board for microcontroller.cpp, whose devices are words in memory: nothing that the client does is optimized away.
#include <cstddef>
#include <cstdint>

namespace {
std::uint32_t volatile device[8];
}

extern "C" {
std::uint32_t board_random() {
    return device[0];
}
std::int64_t board_milliseconds() {
    return device[1];
}
void board_led(int is_on) {
    device[2] = static_cast<std::uint32_t>(is_on);
}
int board_open(char const* target, std::size_t size) {
    for (std::size_t i = 0; i != size; ++i) device[3] = static_cast<unsigned char>(target[i]);
    return static_cast<int>(device[3]);
}
void board_send(int is_text, char const* data, std::size_t size) {
    device[4] = static_cast<std::uint32_t>(is_text);
    for (std::size_t i = 0; i != size; ++i) device[4] = static_cast<unsigned char>(data[i]);
}
void board_close() {
    device[4] = 0;
}
int board_receive(char* frame, std::size_t size) {
    for (std::size_t i = 0; i != device[5] && i != size; ++i) frame[i] = static_cast<char>(device[6]);
    return static_cast<int>(device[5]);
}
void board_sleep(std::uint32_t milliseconds) {
    device[7] = milliseconds;
}
}
