"""What customers write, in Portuguese. Every sentence is our own."""

from collections.abc import Mapping, Sequence

from local.shop.dice import Dice
from local.shop.distributions import MESSAGE_WITH_LINE_BREAK

_PROMPT = (
    "Chegou antes da data e bem embalado.",
    "Entrega super rápida, parabéns à equipe.",
    "Recebi em poucos dias, tudo certo.",
)
_GOOD = (
    "Gostei muito, igual à foto.",
    "Minha mãe adorou o presente!",
    "Compra tranquila, voltarei a comprar aqui.",
    "Acabamento caprichado e preço justo.",
    "Vendedor atencioso, respondeu tudo no mesmo dia.",
    "Funciona perfeitamente, estou satisfeita.",
    "Já é a terceira vez que compro e nunca tive problema.",
    "Ficou lindo na sala, recomendo a todos.",
    "A cor é ainda mais bonita ao vivo.",
    "Tudo certo com o pedido, obrigado.",
)
_CONTENT = (
    "O vendedor resolveu tudo com muita atenção.",
    "Demorou, mas fui bem atendido.",
    "A loja me avisou de cada passo, confio neles.",
)
_FAIR = (
    "O produto é bom, mas a caixa veio amassada.",
    "Esperava um material mais resistente.",
    "Cumpre o que promete, nada além disso.",
    "O tamanho é menor do que imaginei.",
    "Veio sem manual, tive que procurar na internet.",
    "Bom pelo preço, porém demorou a sair do estoque.",
    "Faltou um parafuso, mas consegui montar.",
    "A tonalidade é diferente da que aparece no anúncio.",
)
_BAD = (
    "Veio com defeito e ninguém responde meus e-mails.",
    "Comprei dois e chegou apenas um.",
    "Mandaram o modelo errado, quero trocar.",
    "Parou de funcionar no segundo dia.",
    "A costura abriu na primeira lavagem.",
    "Produto quebrado dentro da caixa, uma decepção.",
    "Pedi 110 volts e recebi 220.",
    "O que chegou não tem nada a ver com o anúncio.",
)
_LATE = (
    "Passou do prazo e só chegou depois de muita reclamação.",
    "Esperei semanas, era presente e perdi a data.",
    "O rastreio ficou parado vários dias na mesma cidade.",
    "Prometeram uma data e entregaram bem depois.",
    "A transportadora não sabe informar onde está a encomenda.",
    "Atrasou demais, não compro mais.",
)
_NEVER = (
    "Até hoje não recebi a encomenda.",
    "Cancelaram meu pedido sem explicar o motivo.",
    "Quero meu dinheiro de volta, nada chegou.",
    "Paguei e o produto estava indisponível, absurdo.",
    "Ninguém sabe dizer quando vai ser entregue.",
)
_TITLES: Mapping[int, Sequence[str]] = {
    1: ("Péssimo", "Não recomendo", "Cadê meu pedido?", "Defeito", "Nota zero"),
    2: ("Decepcionado", "Deixou a desejar", "Podia ser melhor"),
    3: ("Razoável", "Mais ou menos", "Ok"),
    4: ("Bom produto", "Gostei", "Vale a pena"),
    5: ("Excelente", "Amei!", "Recomendo", "Nota 10", "Perfeito", "Ótima compra"),
}
_GREETINGS = ("Boa tarde.", "Olá,", "Bom dia!", "Pessoal,")


def title(dice: Dice, score: int) -> str:
    """Title of a review with this score."""
    return dice.pick(_TITLES[score])


def message(dice: Dice, score: int, lateness: str) -> str:
    """One or two sentences that fit score and delivery; a few run over several lines."""
    sentences = dice.pick_many(_mood(dice, score, lateness), 1 + (dice.below(3) == 0))
    if dice.chance(MESSAGE_WITH_LINE_BREAK):
        return "\n".join([dice.pick(_GREETINGS), *sentences])
    text = " ".join(sentences)
    if dice.chance(0.12):
        return text.upper()
    return f'"{text}"' if dice.chance(0.01) else text


def _mood(dice: Dice, score: int, lateness: str) -> Sequence[str]:
    if score >= 4:
        return (_PROMPT + _GOOD) if lateness == "in time" else _CONTENT
    if lateness == "never":
        return _NEVER
    if score == 3:
        return _FAIR
    return _BAD if lateness == "in time" or dice.chance(0.2) else _LATE
