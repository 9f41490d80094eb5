// Private keys for tests: those that RFC 8463 appendix A publishes, and one that is too short.
#pragma once

#include <string_view>

namespace sluice {

inline constexpr std::string_view kRfcEd25519Key = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
)";

inline constexpr std::string_view kRfcRsaKey = R"(-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
)";

inline constexpr std::string_view kShortRsaKey = R"(-----BEGIN RSA PRIVATE KEY-----
MIIBOgIBAAJBAMUNC7NNU29d7b64KldDw7KUSQHhonZOdX/gxBz7QIVIoQcYCjnM
c64r1dh+iMxM2XQYM8HCspgMXXpweW5hpwECAwEAAQJABnPQ6EQl8UWgHVimekkL
xXM5mMgsq7cR/ef8Q/6uNC8H5uUOhyr7+3CRfIpTa/Y01svFcKN6M0g316pK9VIy
KQIhAPHpKKec/zSwJ9Vm7R7kEr4K3vj5cfRdhT8Oqc8FR0TDAiEA0IcJOJhTq39D
Hag5261XW3hriuXKUg9LVr2YEUk72OsCIHuBESt5wOVyZfPSh4703AjAXhP4rlAX
CvclklZKGJenAiA776RJ3Rang3OyEYlXx/IE+47FpJjLj1PTQbl0tnz6MwIhAN+A
9pEskKlJQKZO2oq+QHXvUJP0dFY3oP6ja2vXWJ0J
-----END RSA PRIVATE KEY-----
)";

}  // namespace sluice
