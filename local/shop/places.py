"""Brazil as the shop sees it: states with their share of customers and sellers, zip ranges and towns.

Shares are those measured in Olist's data (of 100,000 customers and 3,100 sellers); zip ranges are the post's;
coordinates are degrees north and
east of the town's centre.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Town:
    """A town and its share among the towns of its state."""

    name: str
    share: int
    latitude: float
    longitude: float


@dataclass(frozen=True)
class State:
    """`zips` are the first five digits of its zip codes, both ends included; towns lie in the order of their zips."""

    code: str
    customers: int
    sellers: int
    zips: tuple[int, int]
    towns: tuple[Town, ...]


def _state(code: str, customers: int, sellers: int, first: int, last: int, *towns: Town) -> State:
    return State(code, customers, sellers, (first, last), towns)


STATES = (
    _state(
        "SP", 41746, 1849, 1001, 19990,
        Town("sao paulo", 70, -23.55, -46.63), Town("guarulhos", 12, -23.45, -46.53),
        Town("santo andre", 9, -23.66, -46.53), Town("sao bernardo do campo", 10, -23.69, -46.56),
        Town("osasco", 8, -23.53, -46.79), Town("santos", 7, -23.96, -46.33),
        Town("sao jose dos campos", 7, -23.18, -45.88), Town("campinas", 15, -22.91, -47.06),
        Town("ribeirao preto", 6, -21.18, -47.81), Town("sorocaba", 6, -23.50, -47.46),
    ),
    _state(
        "RJ", 12852, 171, 20010, 28999,
        Town("rio de janeiro", 69, -22.91, -43.20), Town("niteroi", 9, -22.88, -43.10),
        Town("duque de caxias", 3, -22.79, -43.31), Town("petropolis", 3, -22.51, -43.18),
        Town("nova iguacu", 5, -22.76, -43.45),
    ),
    _state(
        "MG", 11635, 244, 30001, 39999,
        Town("belo horizonte", 28, -19.92, -43.94), Town("contagem", 5, -19.93, -44.05),
        Town("juiz de fora", 5, -21.76, -43.35), Town("uberlandia", 4, -18.92, -48.28),
        Town("montes claros", 3, -16.73, -43.86),
    ),
    _state(
        "RS", 5466, 129, 90001, 99990,
        Town("porto alegre", 14, -30.03, -51.23), Town("canoas", 3, -29.92, -51.18),
        Town("caxias do sul", 3, -29.17, -51.18), Town("pelotas", 2, -31.77, -52.34),
    ),
    _state(
        "PR", 5045, 349, 80002, 87990,
        Town("curitiba", 15, -25.43, -49.27), Town("londrina", 3, -23.31, -51.16),
        Town("maringa", 3, -23.42, -51.94), Town("cascavel", 2, -24.96, -53.46),
    ),
    _state(
        "SC", 3637, 190, 88000, 89998,
        Town("florianopolis", 6, -27.60, -48.55), Town("blumenau", 2, -26.92, -49.07),
        Town("joinville", 3, -26.30, -48.85), Town("chapeco", 1, -27.10, -52.62),
    ),
    _state(
        "BA", 3380, 19, 40010, 48990,
        Town("salvador", 12, -12.97, -38.50), Town("feira de santana", 2, -12.27, -38.97),
        Town("ilheus", 1, -14.79, -39.05), Town("vitoria da conquista", 1, -14.86, -40.84),
    ),
    _state("DF", 2140, 30, 70002, 72799, Town("brasilia", 1, -15.79, -47.88)),
    _state(
        "ES", 2033, 23, 29001, 29985,
        Town("vitoria", 4, -20.32, -40.34), Town("vila velha", 3, -20.33, -40.29),
        Town("serra", 3, -20.13, -40.31), Town("cachoeiro de itapemirim", 1, -20.85, -41.11),
    ),
    _state(
        "GO", 2020, 40, 73700, 76799,
        Town("goiania", 7, -16.69, -49.26), Town("anapolis", 1, -16.33, -48.95), Town("rio verde", 1, -17.79, -50.92),
    ),
    _state(
        "PE", 1652, 9, 50010, 56980,
        Town("recife", 6, -8.05, -34.92), Town("olinda", 1, -8.01, -34.90),
        Town("caruaru", 1, -8.28, -35.98), Town("petrolina", 1, -9.39, -40.50),
    ),
    _state(
        "CE", 1336, 13, 60010, 63970,
        Town("fortaleza", 13, -3.75, -38.54), Town("sobral", 1, -3.69, -40.35),
        Town("juazeiro do norte", 1, -7.21, -39.32),
    ),
    _state(
        "PA", 975, 2, 66010, 68890,
        Town("belem", 4, -1.44, -48.47), Town("ananindeua", 1, -1.37, -48.37), Town("santarem", 1, -2.46, -54.71),
    ),
    _state(
        "MT", 907, 4, 78000, 78896,
        Town("cuiaba", 4, -15.60, -56.10), Town("rondonopolis", 1, -16.47, -54.64), Town("sinop", 1, -11.86, -55.51),
    ),
    _state("MA", 747, 3, 65000, 65995, Town("sao luis", 8, -2.55, -44.28), Town("imperatriz", 1, -5.53, -47.48)),
    _state("MS", 715, 5, 79002, 79995, Town("campo grande", 5, -20.46, -54.62), Town("dourados", 1, -22.22, -54.81)),
    _state("PB", 536, 6, 58010, 58995, Town("joao pessoa", 5, -7.13, -34.88), Town("campina grande", 2, -7.23, -35.88)),
    _state("PI", 495, 2, 64000, 64995, Town("teresina", 10, -5.09, -42.79), Town("parnaiba", 1, -2.93, -41.76)),
    _state("RN", 485, 5, 59000, 59995, Town("natal", 5, -5.81, -35.23), Town("mossoro", 1, -5.19, -37.34)),
    _state("AL", 413, 1, 57000, 57995, Town("maceio", 8, -9.62, -35.72), Town("arapiraca", 1, -9.75, -36.66)),
    _state("SE", 350, 2, 49000, 49995, Town("aracaju", 10, -10.93, -37.09), Town("lagarto", 1, -10.92, -37.67)),
    _state("TO", 280, 1, 77001, 77995, Town("palmas", 2, -10.22, -48.33), Town("araguaina", 1, -7.19, -48.20)),
    _state("RO", 253, 2, 76801, 76999, Town("porto velho", 5, -8.77, -63.87), Town("ji-parana", 1, -10.88, -61.95)),
    _state("AM", 148, 1, 69005, 69299, Town("manaus", 20, -3.08, -60.02), Town("itacoatiara", 1, -3.12, -58.43)),
    _state("AC", 81, 1, 69900, 69990, Town("rio branco", 15, -9.97, -67.83), Town("cruzeiro do sul", 1, -7.63, -72.67)),
    _state("AP", 68, 1, 68900, 68997, Town("macapa", 6, 0.04, -51.09), Town("santana", 1, -0.04, -51.18)),
    _state("RR", 46, 1, 69301, 69380, Town("boa vista", 1, 2.82, -60.68)),
)  # fmt: skip
