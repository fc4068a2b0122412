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
void board_sleep(std::uint32_t milliseconds) {
    device[3] = milliseconds;
}
int board_connect(char const* host, std::size_t size, std::uint16_t port) {
    for (std::size_t i = 0; i != size; ++i) device[4] = static_cast<unsigned char>(host[i]);
    device[4] = port;
    return static_cast<int>(device[4]);
}
void board_write(int tcp, char const* data, std::size_t size) {
    device[5] = static_cast<std::uint32_t>(tcp);
    for (std::size_t i = 0; i != size; ++i) device[5] = static_cast<unsigned char>(data[i]);
}
int board_read(int tcp, char* data, std::size_t size) {
    device[6] = static_cast<std::uint32_t>(tcp);
    for (std::size_t i = 0; i != device[6] && i != size; ++i) data[i] = static_cast<char>(device[7]);
    return static_cast<int>(device[6]);
}
void board_close(int tcp) {
    device[5] = static_cast<std::uint32_t>(tcp);
}
}
